"""How often customers without a contract will buy again, what that is worth, and who is still a customer."""

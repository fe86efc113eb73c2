"""At which hour should each customer be contacted?"""

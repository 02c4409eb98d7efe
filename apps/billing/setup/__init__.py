"""What is set about billing: the forms of it, for the operator and for a customer's own people."""

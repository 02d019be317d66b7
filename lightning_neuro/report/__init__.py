"""What a deployment proved, and the three ways to show it: terminal, JSON and HTML."""

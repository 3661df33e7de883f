"""What runs on the EC2 workers: the worker itself, the bake of its model, and the machine image around both."""

"""The AMI's bake without EC2: the same provisioning scripts in a root folder, and instances that boot it."""

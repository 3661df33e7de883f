"""The AWS resources as one CloudFormation template, and the command that deploys it to any AWS endpoint."""

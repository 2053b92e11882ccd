"""Creating the tables from the CloudFormation template."""

"""Creates the tables, and adopts existing ones, from the CloudFormation template."""

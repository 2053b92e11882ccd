"""Commands for stacks on AWS: print a template, package, deploy, tear down."""

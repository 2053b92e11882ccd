"""The templates that users deploy, and the package that they install."""

"""The templates that users deploy, and the package they install."""

"""The construct of AWS CDK, synthesized: scripts/cdk runs these tests."""

# Made from infra/app.yaml by scripts/infra: edit the templates, then run it again.

terraform {
  required_version = ">= 1.5"

  required_providers {
    awscc = {
      source  = "hashicorp/awscc"
      version = ">= 1.40"
    }
  }
}

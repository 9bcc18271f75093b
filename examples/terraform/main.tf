# Deploys the synthesized stack of a project with Terraform, or OpenTofu, instead of the CDK's command line:
#
#   python -m stepfast.infra.cdk synth --quiet -c stepfast:assets=parameter     # in the project: writes the assembly
#   terraform init && terraform apply -var assembly=../shop/cdk.out -var name=shop
#
# No `cdk bootstrap` is needed. Deploy again in the same way after each change of the workflows.

terraform {
  required_version = ">= 1.5"
  required_providers {
    archive = {
      source  = "hashicorp/archive"
      version = ">= 2.4, < 3.0"
    }
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0, < 7.0"
    }
  }
}

variable "assembly" {
  description = "The folder that the synth wrote: cdk.out, or `output` of cdk.json"
  type        = string
}

variable "name" {
  description = "The name of the stack, as infra/app.py has it"
  type        = string
}

locals {
  # What the CDK would upload: the template, and the code of the functions.
  files    = jsondecode(file("${var.assembly}/${var.name}.assets.json")).files
  template = "${var.name}.template.json"
  code     = { for id, asset in local.files : id => asset if asset.source.packaging == "zip" }
  key      = { for id, asset in local.code : id => one([for place in values(asset.destinations) : place.objectKey]) }
}

resource "aws_s3_bucket" "code" {
  bucket_prefix = "${lower(var.name)}-code-"
}

resource "aws_s3_bucket_public_access_block" "code" {
  bucket                  = aws_s3_bucket.code.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "archive_file" "code" {
  for_each         = local.code
  type             = "zip"
  source_dir       = "${var.assembly}/${each.value.source.path}"
  output_file_mode = "0755"
  output_path      = "${path.module}/.terraform/stepfast/${each.key}.zip"
}

resource "aws_s3_object" "code" {
  for_each = local.code
  bucket   = aws_s3_bucket.code.id
  key      = local.key[each.key]
  source   = data.archive_file.code[each.key].output_path

  lifecycle {
    # The code of before is deleted only when the stack has been updated: a rollback needs it.
    create_before_destroy = true
  }
}

# The template has more than the 51,200 bytes that CloudFormation takes in a request.
resource "aws_s3_object" "template" {
  bucket = aws_s3_bucket.code.id
  key    = "${filesha256("${var.assembly}/${local.template}")}.json"
  source = "${var.assembly}/${local.template}"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudformation_stack" "stepfast" {
  name         = var.name
  template_url = "https://${aws_s3_bucket.code.bucket_regional_domain_name}/${aws_s3_object.template.key}"
  parameters   = { AssetsBucket = aws_s3_bucket.code.id }
  capabilities = ["CAPABILITY_IAM"]
  depends_on   = [aws_s3_object.code]
}

output "url" {
  description = "Where the HTTP API is: STEPFAST_URL for client and command line"
  value       = aws_cloudformation_stack.stepfast.outputs["ApiUrl"]
}

output "table" {
  description = "For `stepfast keys create --table`"
  value       = aws_cloudformation_stack.stepfast.outputs["TableName"]
}

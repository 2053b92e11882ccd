# Made from infra/app.yaml by scripts/infra: edit the templates, then run it again.

locals {
  has_sequencer                          = tostring(var.sequencer) == "true"
  has_outbox                             = var.outbox_target_arn != ""
  has_read_model                         = var.read_model_handler != ""
  has_topic                              = var.alarm_topic_arn != ""
  is_protected                           = tostring(var.deletion_protection) == "true"
  has_kms_key                            = var.kms_key_arn != ""
  has_table_class                        = var.table_class != "STANDARD"
  has_max_reads                          = tostring(var.max_read_units) != "0"
  has_max_writes                         = tostring(var.max_write_units) != "0"
  has_maximum                            = local.has_max_reads || local.has_max_writes
  is_warm                                = tostring(var.warm_read_units) != "12000" || tostring(var.warm_write_units) != "4000"
  sequencer_has_reserve                  = tostring(var.sequencer_concurrency) != "0"
  sequencer_has_layers                   = var.sequencer_layers != ""
  has_vpc                                = var.subnet_ids != ""
  sequencer_has_extra_policy             = var.sequencer_extra_policy_arn != ""
  is_traced                              = var.tracing == "Active"
  logs_json                              = var.log_format == "JSON"
  outbox_has_layers                      = var.outbox_layers != ""
  outbox_has_extra_policy                = var.outbox_extra_policy_arn != ""
  has_field_key                          = var.field_kms_key_arn != ""
  read_model_keeps_up                    = tostring(var.read_model_upkeep) == "true"
  read_model_follows_log                 = var.read_model_source == "log"
  read_model_has_layers                  = var.read_model_layers != ""
  read_model_has_extra_policy            = var.read_model_extra_policy_arn != ""
  read_model_has_table                   = var.read_model_table != ""
  has_read_model_and_read_model_keeps_up = local.has_read_model && local.read_model_keeps_up
}

resource "awscc_dynamodb_table" "events_table" {
  table_name   = "${var.name_prefix}-events"
  billing_mode = "PAY_PER_REQUEST"
  table_class  = local.has_table_class ? var.table_class : null
  on_demand_throughput = local.has_maximum ? {
    max_read_request_units  = local.has_max_reads ? var.max_read_units : null
    max_write_request_units = local.has_max_writes ? var.max_write_units : null
  } : null
  warm_throughput = local.is_warm ? {
    read_units_per_second  = var.warm_read_units
    write_units_per_second = var.warm_write_units
  } : null
  attribute_definitions = [
    {
      attribute_name = "stream_key"
      attribute_type = "S"
    },
    {
      attribute_name = "version"
      attribute_type = "N"
    },
  ]
  key_schema = jsonencode([
    {
      AttributeName = "stream_key"
      KeyType       = "HASH"
    },
    {
      AttributeName = "version"
      KeyType       = "RANGE"
    },
  ])
  stream_specification = {
    stream_view_type = "NEW_IMAGE"
  }
  time_to_live_specification = {
    attribute_name = "expires_at"
    enabled        = true
  }
  point_in_time_recovery_specification = {
    point_in_time_recovery_enabled = true
  }
  deletion_protection_enabled = local.is_protected ? true : false
  sse_specification = local.has_kms_key ? {
    sse_enabled       = true
    sse_type          = "KMS"
    kms_master_key_id = var.kms_key_arn
    } : {
    sse_enabled       = false
    sse_type          = null
    kms_master_key_id = null
  }
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
    {
      key   = "component"
      value = "events"
    },
  ]

  lifecycle {
    prevent_destroy = true
  }
}

resource "awscc_dynamodb_table" "log_table" {
  table_name   = "${var.name_prefix}-log"
  billing_mode = "PAY_PER_REQUEST"
  table_class  = local.has_table_class ? var.table_class : null
  on_demand_throughput = local.has_maximum ? {
    max_read_request_units  = local.has_max_reads ? var.max_read_units : null
    max_write_request_units = local.has_max_writes ? var.max_write_units : null
  } : null
  warm_throughput = local.is_warm ? {
    read_units_per_second  = var.warm_read_units
    write_units_per_second = var.warm_write_units
  } : null
  attribute_definitions = [
    {
      attribute_name = "log_key"
      attribute_type = "S"
    },
    {
      attribute_name = "place"
      attribute_type = "S"
    },
  ]
  key_schema = jsonencode([
    {
      AttributeName = "log_key"
      KeyType       = "HASH"
    },
    {
      AttributeName = "place"
      KeyType       = "RANGE"
    },
  ])
  stream_specification = {
    stream_view_type = "NEW_IMAGE"
  }
  point_in_time_recovery_specification = {
    point_in_time_recovery_enabled = true
  }
  deletion_protection_enabled = local.is_protected ? true : false
  sse_specification = local.has_kms_key ? {
    sse_enabled       = true
    sse_type          = "KMS"
    kms_master_key_id = var.kms_key_arn
    } : {
    sse_enabled       = false
    sse_type          = null
    kms_master_key_id = null
  }
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
    {
      key   = "component"
      value = "log"
    },
  ]

  lifecycle {
    prevent_destroy = true
  }
}

resource "awscc_dynamodb_table" "keys_table" {
  table_name   = "${var.name_prefix}-keys"
  billing_mode = "PAY_PER_REQUEST"
  attribute_definitions = [
    {
      attribute_name = "tenant"
      attribute_type = "S"
    },
    {
      attribute_name = "subject"
      attribute_type = "S"
    },
  ]
  key_schema = jsonencode([
    {
      AttributeName = "tenant"
      KeyType       = "HASH"
    },
    {
      AttributeName = "subject"
      KeyType       = "RANGE"
    },
  ])
  point_in_time_recovery_specification = {
    point_in_time_recovery_enabled = true
    recovery_period_in_days        = var.keys_recovery_days
  }
  deletion_protection_enabled = local.is_protected ? true : false
  sse_specification = local.has_kms_key ? {
    sse_enabled       = true
    sse_type          = "KMS"
    kms_master_key_id = var.kms_key_arn
    } : {
    sse_enabled       = false
    sse_type          = null
    kms_master_key_id = null
  }
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
    {
      key   = "component"
      value = "keys"
    },
  ]

  lifecycle {
    prevent_destroy = true
  }
}

resource "awscc_iam_managed_policy" "writers" {
  description = "dynamo_es - append events, load streams, save snapshots"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Streams"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PartiQLInsert", "dynamodb:PutItem", "dynamodb:Query"]
        Resource = awscc_dynamodb_table.events_table.arn
      },
      {
        Sid      = "TagIndex"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:Query"]
        Resource = awscc_dynamodb_table.log_table.arn
        Condition = {
          "ForAllValues:StringLike" = {
            "dynamodb:LeadingKeys" = ["*#tags#*"]
          }
          Null = {
            "dynamodb:LeadingKeys" = "false"
          }
        }
      },
      {
        Sid      = "EncryptedFields"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:PutItem"]
        Resource = awscc_dynamodb_table.keys_table.arn
      },
    ]
  })
}

resource "awscc_iam_managed_policy" "readers" {
  description = "dynamo_es - load streams, read the log"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Streams"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
        Resource = awscc_dynamodb_table.events_table.arn
      },
      {
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:Query"]
        Resource = awscc_dynamodb_table.log_table.arn
      },
      {
        Sid      = "EncryptedFields"
        Effect   = "Allow"
        Action   = "dynamodb:GetItem"
        Resource = awscc_dynamodb_table.keys_table.arn
      },
    ]
  })
}

resource "awscc_iam_managed_policy" "deleters" {
  description = "dynamo_es - delete streams and their tag index, shred keys"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Streams"
        Effect   = "Allow"
        Action   = ["dynamodb:DeleteItem", "dynamodb:PartiQLUpdate", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
        Resource = awscc_dynamodb_table.events_table.arn
      },
      {
        Sid      = "TagIndex"
        Effect   = "Allow"
        Action   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query"]
        Resource = awscc_dynamodb_table.log_table.arn
        Condition = {
          "ForAllValues:StringLike" = {
            "dynamodb:LeadingKeys" = ["*#tags#*"]
          }
          Null = {
            "dynamodb:LeadingKeys" = "false"
          }
        }
      },
      {
        Sid      = "EncryptedFields"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
        Resource = awscc_dynamodb_table.keys_table.arn
      },
    ]
  })
}

resource "awscc_iam_managed_policy" "sequencers" {
  description = "dynamo_es - give commits their positions in the log"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Gaps"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:Query"]
        Resource = awscc_dynamodb_table.events_table.arn
      },
      {
        Sid      = "ReadLog"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
        Resource = awscc_dynamodb_table.log_table.arn
      },
      {
        Sid      = "PagesAndMarkers"
        Effect   = "Allow"
        Action   = ["dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PutItem"]
        Resource = awscc_dynamodb_table.log_table.arn
        Condition = {
          "ForAllValues:StringLike" = {
            "dynamodb:LeadingKeys" = ["log", "logs", "minutes", "set-aside", "*#log", "*#minutes", "*#set-aside", "*#streams#*"]
          }
          Null = {
            "dynamodb:LeadingKeys" = "false"
          }
        }
      },
    ]
  })
}

resource "awscc_iam_managed_policy" "pollers" {
  description = "dynamo_es - read the stream of the events table"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Table"
        Effect   = "Allow"
        Action   = "dynamodb:DescribeTable"
        Resource = awscc_dynamodb_table.events_table.arn
      },
      {
        Sid      = "Stream"
        Effect   = "Allow"
        Action   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        Resource = awscc_dynamodb_table.events_table.stream_arn
      },
      {
        Sid      = "Places"
        Effect   = "Allow"
        Action   = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Query"]
        Resource = awscc_dynamodb_table.log_table.arn
        Condition = {
          "ForAllValues:StringEquals" = {
            "dynamodb:LeadingKeys" = ["poller"]
          }
          Null = {
            "dynamodb:LeadingKeys" = "false"
          }
        }
      },
    ]
  })
}

resource "awscc_iam_managed_policy" "consumers" {
  description = "dynamo_es - run projections and outboxes"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Streams"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
        Resource = awscc_dynamodb_table.events_table.arn
      },
      {
        Sid      = "ReadLog"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
        Resource = awscc_dynamodb_table.log_table.arn
      },
      {
        Sid      = "Places"
        Effect   = "Allow"
        Action   = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        Resource = awscc_dynamodb_table.log_table.arn
        Condition = {
          "ForAllValues:StringLike" = {
            "dynamodb:LeadingKeys" = ["checkpoint#*", "*#checkpoint#*", "consumers", "*#consumers", "*#cursor#*", "outbox#*", "*#outbox#*", "parked", "*#parked", "parked#*", "*#parked#*", "skipped#*", "*#skipped#*", "*#tags#*"]
          }
          Null = {
            "dynamodb:LeadingKeys" = "false"
          }
        }
      },
      {
        Sid      = "EncryptedFields"
        Effect   = "Allow"
        Action   = "dynamodb:GetItem"
        Resource = awscc_dynamodb_table.keys_table.arn
      },
    ]
  })
}

resource "awscc_iam_managed_policy" "operators" {
  description = "dynamo_es - verify and repair the log, change consumers by hand"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Streams"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"]
        Resource = awscc_dynamodb_table.events_table.arn
      },
      {
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem"]
        Resource = awscc_dynamodb_table.log_table.arn
      },
    ]
  })
}

resource "awscc_iam_managed_policy" "one_tenant" {
  description = "dynamo_es - append and load streams of the tenant that the session's tag names"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Streams"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PartiQLInsert", "dynamodb:PutItem", "dynamodb:Query"]
        Resource = awscc_dynamodb_table.events_table.arn
        Condition = {
          "ForAllValues:StringLike" = {
            "dynamodb:LeadingKeys" = ["$${aws:PrincipalTag/tenant}#*"]
          }
          Null = {
            "dynamodb:LeadingKeys"    = "false"
            "aws:PrincipalTag/tenant" = "false"
          }
          StringLike = {
            "aws:PrincipalTag/tenant" = "?*"
          }
        }
      },
      {
        Sid      = "TagIndex"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:Query"]
        Resource = awscc_dynamodb_table.log_table.arn
        Condition = {
          "ForAllValues:StringLike" = {
            "dynamodb:LeadingKeys" = ["$${aws:PrincipalTag/tenant}#tags#*"]
          }
          Null = {
            "dynamodb:LeadingKeys"    = "false"
            "aws:PrincipalTag/tenant" = "false"
          }
          StringLike = {
            "aws:PrincipalTag/tenant" = "?*"
          }
        }
      },
      {
        Sid      = "EncryptedFields"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:PutItem"]
        Resource = awscc_dynamodb_table.keys_table.arn
        Condition = {
          "ForAllValues:StringEquals" = {
            "dynamodb:LeadingKeys" = ["$${aws:PrincipalTag/tenant}#"]
          }
          Null = {
            "dynamodb:LeadingKeys"    = "false"
            "aws:PrincipalTag/tenant" = "false"
          }
          StringLike = {
            "aws:PrincipalTag/tenant" = "?*"
          }
        }
      },
    ]
  })
}

resource "awscc_iam_managed_policy" "one_tenant_log" {
  description = "dynamo_es - read and write the log of the tenant that the session's tag names"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Commits"
        Effect   = "Allow"
        Action   = "dynamodb:BatchGetItem"
        Resource = awscc_dynamodb_table.events_table.arn
        Condition = {
          "ForAllValues:StringLike" = {
            "dynamodb:LeadingKeys" = ["$${aws:PrincipalTag/tenant}#*"]
          }
          Null = {
            "dynamodb:LeadingKeys"    = "false"
            "aws:PrincipalTag/tenant" = "false"
          }
          StringLike = {
            "aws:PrincipalTag/tenant" = "?*"
          }
        }
      },
      {
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
        Resource = awscc_dynamodb_table.log_table.arn
        Condition = {
          "ForAllValues:StringLike" = {
            "dynamodb:LeadingKeys" = ["$${aws:PrincipalTag/tenant}#*"]
          }
          Null = {
            "dynamodb:LeadingKeys"    = "false"
            "aws:PrincipalTag/tenant" = "false"
          }
          StringLike = {
            "aws:PrincipalTag/tenant" = "?*"
          }
        }
      },
      {
        Sid      = "Registry"
        Effect   = "Allow"
        Action   = "dynamodb:PutItem"
        Resource = awscc_dynamodb_table.log_table.arn
        Condition = {
          "ForAllValues:StringEquals" = {
            "dynamodb:LeadingKeys" = ["logs"]
          }
          Null = {
            "dynamodb:LeadingKeys" = "false"
          }
        }
      },
      {
        Sid      = "Scope"
        Effect   = "Allow"
        Action   = "dynamodb:GetItem"
        Resource = awscc_dynamodb_table.log_table.arn
        Condition = {
          "ForAllValues:StringEquals" = {
            "dynamodb:LeadingKeys" = ["log"]
            "dynamodb:Attributes"  = ["log_key", "place", "log_scope"]
          }
          Null = {
            "dynamodb:LeadingKeys" = "false"
            "dynamodb:Attributes"  = "false"
          }
        }
      },
    ]
  })
}

resource "awscc_iam_managed_policy" "key_users" {
  count       = local.has_kms_key ? 1 : 0
  description = "dynamo_es - use tables that your KMS key encrypts"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "TablesKey"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = var.kms_key_arn
      },
    ]
  })
}

resource "awscc_iam_role" "sequencer_role" {
  count = local.has_sequencer ? 1 : 0
  assume_role_policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "lambda.amazonaws.com"
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
  managed_policy_arns = [for each in [awscc_iam_managed_policy.sequencers.policy_arn, "arn:${var.partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole", local.has_vpc ? "arn:${var.partition}:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole" : null, local.is_traced ? "arn:${var.partition}:iam::aws:policy/AWSXRayDaemonWriteAccess" : null, local.sequencer_has_extra_policy ? var.sequencer_extra_policy_arn : null] : each if each != null]
  policies = [
    {
      policy_name = "stream"
      policy_document = jsonencode({
        Version = "2012-10-17"
        Statement = [for each in [
          {
            Effect   = "Allow"
            Action   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
            Resource = awscc_dynamodb_table.events_table.stream_arn
          },
          {
            Effect   = "Allow"
            Action   = "sqs:SendMessage"
            Resource = awscc_sqs_queue.sequencer_failure_queue[0].arn
          },
          local.has_kms_key ? {
            Effect   = "Allow"
            Action   = "kms:Decrypt"
            Resource = var.kms_key_arn
          } : null,
          {
            Effect   = "Allow"
            Action   = "lambda:ListEventSourceMappings"
            Resource = "*"
          },
        ] : each if each != null]
      })
    },
  ]
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
    {
      key   = "component"
      value = "sequencer"
    },
  ]
}

resource "awscc_lambda_function" "sequencer_function" {
  count         = local.has_sequencer ? 1 : 0
  handler       = "dynamo_es.aws_lambda.sequencer.handler"
  runtime       = var.runtime
  architectures = [var.architecture]
  code = {
    s3_bucket = var.code_bucket
    s3_key    = var.code_key
  }
  role        = awscc_iam_role.sequencer_role[0].arn
  memory_size = var.sequencer_memory_size
  timeout     = var.sequencer_timeout
  layers      = local.sequencer_has_layers ? split(",", var.sequencer_layers) : null
  tracing_config = {
    mode = var.tracing
  }
  vpc_config = local.has_vpc ? {
    subnet_ids         = split(",", var.subnet_ids)
    security_group_ids = split(",", var.security_group_ids)
  } : null
  logging_config = {
    log_group             = awscc_logs_log_group.sequencer_logs[0].log_group_name
    log_format            = var.log_format
    application_log_level = local.logs_json ? var.log_level : null
  }
  reserved_concurrent_executions = local.sequencer_has_reserve ? var.sequencer_concurrency : null
  environment = {
    variables = { for name, each in merge({
      DYNAMO_ES_EVENTS_TABLE = awscc_dynamodb_table.events_table.table_name
      DYNAMO_ES_LOG_TABLE    = awscc_dynamodb_table.log_table.table_name
      DYNAMO_ES_KEYS_TABLE   = awscc_dynamodb_table.keys_table.table_name
      DYNAMO_ES_TRANSPORT    = var.transport
      DYNAMO_ES_LOG_SCOPE    = var.log_scope
      DYNAMO_ES_REPLICATION  = var.replication
    }, var.environment) : name => each if each != null }
  }
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
    {
      key   = "component"
      value = "sequencer"
    },
  ]
}

resource "awscc_logs_log_group" "sequencer_logs" {
  count             = local.has_sequencer ? 1 : 0
  retention_in_days = var.log_retention_days
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
  ]
}

resource "awscc_lambda_event_source_mapping" "sequencer_mapping" {
  count                              = local.has_sequencer ? 1 : 0
  event_source_arn                   = awscc_dynamodb_table.events_table.stream_arn
  function_name                      = awscc_lambda_function.sequencer_function[0].function_name
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = var.sequencer_batch_size
  maximum_batching_window_in_seconds = var.sequencer_window_seconds
  parallelization_factor             = 1
  filter_criteria = {
    filters = [
      {
        pattern = "{\"eventName\": [\"INSERT\", \"MODIFY\"], \"dynamodb\": {\"Keys\": {\"version\": {\"N\": [{\"anything-but\": [\"1000000000000000000\"]}]}}}}"
      },
    ]
  }
  function_response_types        = ["ReportBatchItemFailures"]
  bisect_batch_on_function_error = true
  maximum_retry_attempts         = -1
  maximum_record_age_in_seconds  = -1
  destination_config = {
    on_failure = {
      destination = awscc_sqs_queue.sequencer_failure_queue[0].arn
    }
  }
}

resource "awscc_sqs_queue" "sequencer_failure_queue" {
  count                    = local.has_sequencer ? 1 : 0
  message_retention_period = 1209600
  sqs_managed_sse_enabled  = true
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
    {
      key   = "component"
      value = "sequencer"
    },
  ]
}

resource "awscc_events_rule" "sequencer_each_minute" {
  count               = local.has_sequencer ? 1 : 0
  description         = "Measures the lag of the log"
  schedule_expression = "rate(1 minute)"
  targets = [
    {
      id    = "function"
      arn   = awscc_lambda_function.sequencer_function[0].arn
      input = "{\"dynamo_es\": \"upkeep\"}"
    },
  ]
}

resource "awscc_lambda_permission" "sequencer_each_minute_permission" {
  count         = local.has_sequencer ? 1 : 0
  action        = "lambda:InvokeFunction"
  function_name = awscc_lambda_function.sequencer_function[0].function_name
  principal     = "events.amazonaws.com"
  source_arn    = awscc_events_rule.sequencer_each_minute[0].arn
}

resource "awscc_cloudwatch_alarm" "sequencer_mapping_alarm" {
  count             = local.has_sequencer ? 1 : 0
  alarm_description = "The event source mapping of the sequencer is off, or the function does not run. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-mapping-is-off"
  namespace         = "dynamo_es"
  metric_name       = "MappingsOff"
  dimensions = [
    {
      name  = "function"
      value = awscc_lambda_function.sequencer_function[0].function_name
    },
  ]
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "sequencer_waiting_alarm" {
  count             = local.has_sequencer ? 1 : 0
  alarm_description = "Events have been waiting for minutes for their positions in the log. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#the-log-lags"
  namespace         = "dynamo_es"
  metric_name       = "LagSeconds"
  dimensions = [
    {
      name  = "function"
      value = awscc_lambda_function.sequencer_function[0].function_name
    },
  ]
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  threshold           = 300
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "sequencer_retries_alarm" {
  count             = local.has_sequencer ? 1 : 0
  alarm_description = "The sequencer keeps failing. Lambda's metric Errors stays at 0: the handler reports failed records. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#the-log-lags"
  namespace         = "dynamo_es"
  metric_name       = "Failures"
  dimensions = [
    {
      name  = "function"
      value = awscc_lambda_function.sequencer_function[0].function_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "sequencer_set_aside_alarm" {
  count             = local.has_sequencer ? 1 : 0
  alarm_description = "Commits were set aside, because only a newer release, or none, can read them. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-commit-was-set-aside"
  namespace         = "dynamo_es"
  metric_name       = "SetAside"
  dimensions = [
    {
      name  = "function"
      value = awscc_lambda_function.sequencer_function[0].function_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "sequencer_lag_alarm" {
  count             = local.has_sequencer ? 1 : 0
  alarm_description = "The log is minutes behind the events. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#the-log-lags"
  namespace         = "AWS/Lambda"
  metric_name       = "IteratorAge"
  dimensions = [
    {
      name  = "FunctionName"
      value = awscc_lambda_function.sequencer_function[0].function_name
    },
  ]
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 300000
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "sequencer_failure_alarm" {
  count             = local.has_sequencer ? 1 : 0
  alarm_description = "Lambda gave up records. Run `dynamo-es log repair`. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-batch-was-given-up"
  namespace         = "AWS/SQS"
  metric_name       = "ApproximateNumberOfMessagesVisible"
  dimensions = [
    {
      name  = "QueueName"
      value = awscc_sqs_queue.sequencer_failure_queue[0].queue_name
    },
  ]
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_iam_role" "outbox_role" {
  count = local.has_outbox ? 1 : 0
  assume_role_policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "lambda.amazonaws.com"
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
  managed_policy_arns = [for each in [awscc_iam_managed_policy.consumers.policy_arn, "arn:${var.partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole", local.has_vpc ? "arn:${var.partition}:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole" : null, local.is_traced ? "arn:${var.partition}:iam::aws:policy/AWSXRayDaemonWriteAccess" : null, local.outbox_has_extra_policy ? var.outbox_extra_policy_arn : null] : each if each != null]
  policies = [
    {
      policy_name = "stream"
      policy_document = jsonencode({
        Version = "2012-10-17"
        Statement = [for each in [
          {
            Effect   = "Allow"
            Action   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
            Resource = awscc_dynamodb_table.log_table.stream_arn
          },
          {
            Effect   = "Allow"
            Action   = "sqs:SendMessage"
            Resource = awscc_sqs_queue.outbox_failure_queue[0].arn
          },
          local.has_kms_key ? {
            Effect   = "Allow"
            Action   = "kms:Decrypt"
            Resource = var.kms_key_arn
          } : null,
          local.has_field_key ? {
            Effect   = "Allow"
            Action   = "kms:Decrypt"
            Resource = var.field_kms_key_arn
          } : null,
          {
            Effect   = "Allow"
            Action   = "lambda:ListEventSourceMappings"
            Resource = "*"
          },
          {
            Effect   = "Allow"
            Action   = ["events:PutEvents", "sns:Publish", "sqs:SendMessage"]
            Resource = var.outbox_target_arn
          },
        ] : each if each != null]
      })
    },
  ]
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
    {
      key   = "component"
      value = "outbox"
    },
  ]
}

resource "awscc_lambda_function" "outbox_function" {
  count         = local.has_outbox ? 1 : 0
  handler       = "dynamo_es.aws_lambda.outbox.handler"
  runtime       = var.runtime
  architectures = [var.architecture]
  code = {
    s3_bucket = var.code_bucket
    s3_key    = var.code_key
  }
  role        = awscc_iam_role.outbox_role[0].arn
  memory_size = var.outbox_memory_size
  timeout     = var.outbox_timeout
  layers      = local.outbox_has_layers ? split(",", var.outbox_layers) : null
  tracing_config = {
    mode = var.tracing
  }
  vpc_config = local.has_vpc ? {
    subnet_ids         = split(",", var.subnet_ids)
    security_group_ids = split(",", var.security_group_ids)
  } : null
  logging_config = {
    log_group             = awscc_logs_log_group.outbox_logs[0].log_group_name
    log_format            = var.log_format
    application_log_level = local.logs_json ? var.log_level : null
  }
  environment = {
    variables = { for name, each in merge({
      DYNAMO_ES_EVENTS_TABLE    = awscc_dynamodb_table.events_table.table_name
      DYNAMO_ES_LOG_TABLE       = awscc_dynamodb_table.log_table.table_name
      DYNAMO_ES_KEYS_TABLE      = awscc_dynamodb_table.keys_table.table_name
      DYNAMO_ES_TRANSPORT       = var.transport
      DYNAMO_ES_LOG_SCOPE       = var.log_scope
      DYNAMO_ES_REPLICATION     = var.replication
      DYNAMO_ES_KMS_KEY_ID      = local.has_field_key ? var.field_kms_key_arn : null
      DYNAMO_ES_OUTBOX_TARGET   = var.outbox_target_arn
      DYNAMO_ES_OUTBOX_SOURCE   = var.outbox_source
      DYNAMO_ES_OUTBOX_NAME     = var.outbox_name
      DYNAMO_ES_OUTBOX_HOURS    = var.outbox_hours
      DYNAMO_ES_OUTBOX_ATTEMPTS = var.outbox_attempts
    }, var.environment) : name => each if each != null }
  }
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
    {
      key   = "component"
      value = "outbox"
    },
  ]
}

resource "awscc_logs_log_group" "outbox_logs" {
  count             = local.has_outbox ? 1 : 0
  retention_in_days = var.log_retention_days
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
  ]
}

resource "awscc_lambda_event_source_mapping" "outbox_mapping" {
  count                              = local.has_outbox ? 1 : 0
  event_source_arn                   = awscc_dynamodb_table.log_table.stream_arn
  function_name                      = awscc_lambda_function.outbox_function[0].function_name
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = var.outbox_batch_size
  maximum_batching_window_in_seconds = var.outbox_window_seconds
  parallelization_factor             = 1
  filter_criteria = {
    filters = [
      {
        pattern = "{\"dynamodb\": {\"Keys\": {\"log_key\": {\"S\": [\"log\", {\"suffix\": \"#log\"}]}}}}"
      },
    ]
  }
  function_response_types        = ["ReportBatchItemFailures"]
  bisect_batch_on_function_error = true
  maximum_retry_attempts         = 100
  maximum_record_age_in_seconds  = 3600
  destination_config = {
    on_failure = {
      destination = awscc_sqs_queue.outbox_failure_queue[0].arn
    }
  }
}

resource "awscc_events_rule" "outbox_each_minute" {
  count               = local.has_outbox ? 1 : 0
  description         = "Calls the outbox, which retries failed events"
  schedule_expression = "rate(1 minute)"
  targets = [
    {
      id    = "function"
      arn   = awscc_lambda_function.outbox_function[0].arn
      input = "{\"dynamo_es\": \"upkeep\"}"
    },
  ]
}

resource "awscc_lambda_permission" "outbox_each_minute_permission" {
  count         = local.has_outbox ? 1 : 0
  action        = "lambda:InvokeFunction"
  function_name = awscc_lambda_function.outbox_function[0].function_name
  principal     = "events.amazonaws.com"
  source_arn    = awscc_events_rule.outbox_each_minute[0].arn
}

resource "awscc_sqs_queue" "outbox_failure_queue" {
  count                    = local.has_outbox ? 1 : 0
  message_retention_period = 1209600
  sqs_managed_sse_enabled  = true
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
    {
      key   = "component"
      value = "outbox"
    },
  ]
}

resource "awscc_cloudwatch_alarm" "outbox_mapping_alarm" {
  count             = local.has_outbox ? 1 : 0
  alarm_description = "The event source mapping of the outbox is off, or the function does not run. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-mapping-is-off"
  namespace         = "dynamo_es"
  metric_name       = "MappingsOff"
  dimensions = [
    {
      name  = "function"
      value = awscc_lambda_function.outbox_function[0].function_name
    },
  ]
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "outbox_dead_alarm" {
  count             = local.has_outbox ? 1 : 0
  alarm_description = "The outbox gave up events that it could not publish. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#the-outbox-gave-up-events"
  namespace         = "dynamo_es"
  metric_name       = "Dead"
  dimensions = [
    {
      name  = "function"
      value = awscc_lambda_function.outbox_function[0].function_name
    },
  ]
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "outbox_oldest_alarm" {
  count             = local.has_outbox ? 1 : 0
  alarm_description = "The outbox has been failing to publish an event for half an hour. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#the-outbox-does-not-publish"
  namespace         = "dynamo_es"
  metric_name       = "OldestSeconds"
  dimensions = [
    {
      name  = "function"
      value = awscc_lambda_function.outbox_function[0].function_name
    },
  ]
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  threshold           = 1800
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "outbox_retries_alarm" {
  count             = local.has_outbox ? 1 : 0
  alarm_description = "Publishing keeps failing. Lambda's metric Errors stays at 0: the handler reports failed records. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#the-outbox-does-not-publish"
  namespace         = "dynamo_es"
  metric_name       = "Failures"
  dimensions = [
    {
      name  = "function"
      value = awscc_lambda_function.outbox_function[0].function_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "outbox_lag_alarm" {
  count             = local.has_outbox ? 1 : 0
  alarm_description = "The outbox is minutes behind the log. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#the-outbox-does-not-publish"
  namespace         = "AWS/Lambda"
  metric_name       = "IteratorAge"
  dimensions = [
    {
      name  = "FunctionName"
      value = awscc_lambda_function.outbox_function[0].function_name
    },
  ]
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 300000
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "outbox_failure_alarm" {
  count             = local.has_outbox ? 1 : 0
  alarm_description = "The outbox fails. The function's logs say why. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-batch-was-given-up"
  namespace         = "AWS/SQS"
  metric_name       = "ApproximateNumberOfMessagesVisible"
  dimensions = [
    {
      name  = "QueueName"
      value = awscc_sqs_queue.outbox_failure_queue[0].queue_name
    },
  ]
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_iam_role" "read_model_role" {
  count = local.has_read_model ? 1 : 0
  assume_role_policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "lambda.amazonaws.com"
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
  managed_policy_arns = [for each in [awscc_iam_managed_policy.consumers.policy_arn, var.read_model_policy_arn, "arn:${var.partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole", local.has_vpc ? "arn:${var.partition}:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole" : null, local.is_traced ? "arn:${var.partition}:iam::aws:policy/AWSXRayDaemonWriteAccess" : null, local.read_model_has_extra_policy ? var.read_model_extra_policy_arn : null] : each if each != null]
  policies = [
    {
      policy_name = "stream"
      policy_document = jsonencode({
        Version = "2012-10-17"
        Statement = [for each in [
          {
            Effect   = "Allow"
            Action   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
            Resource = local.read_model_follows_log ? awscc_dynamodb_table.log_table.stream_arn : awscc_dynamodb_table.events_table.stream_arn
          },
          {
            Effect   = "Allow"
            Action   = "sqs:SendMessage"
            Resource = awscc_sqs_queue.read_model_failure_queue[0].arn
          },
          local.has_kms_key ? {
            Effect   = "Allow"
            Action   = "kms:Decrypt"
            Resource = var.kms_key_arn
          } : null,
          local.has_field_key ? {
            Effect   = "Allow"
            Action   = "kms:Decrypt"
            Resource = var.field_kms_key_arn
          } : null,
          {
            Effect   = "Allow"
            Action   = "lambda:ListEventSourceMappings"
            Resource = "*"
          },
        ] : each if each != null]
      })
    },
  ]
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
    {
      key   = "component"
      value = "projection"
    },
  ]
}

resource "awscc_lambda_function" "read_model_function" {
  count         = local.has_read_model ? 1 : 0
  handler       = var.read_model_handler
  runtime       = var.runtime
  architectures = [var.architecture]
  code = {
    s3_bucket = var.code_bucket
    s3_key    = var.code_key
  }
  role        = awscc_iam_role.read_model_role[0].arn
  memory_size = var.read_model_memory_size
  timeout     = var.read_model_timeout
  layers      = local.read_model_has_layers ? split(",", var.read_model_layers) : null
  tracing_config = {
    mode = var.tracing
  }
  vpc_config = local.has_vpc ? {
    subnet_ids         = split(",", var.subnet_ids)
    security_group_ids = split(",", var.security_group_ids)
  } : null
  logging_config = {
    log_group             = awscc_logs_log_group.read_model_logs[0].log_group_name
    log_format            = var.log_format
    application_log_level = local.logs_json ? var.log_level : null
  }
  environment = {
    variables = { for name, each in merge({
      DYNAMO_ES_EVENTS_TABLE = awscc_dynamodb_table.events_table.table_name
      DYNAMO_ES_LOG_TABLE    = awscc_dynamodb_table.log_table.table_name
      DYNAMO_ES_KEYS_TABLE   = awscc_dynamodb_table.keys_table.table_name
      DYNAMO_ES_TRANSPORT    = var.transport
      DYNAMO_ES_LOG_SCOPE    = var.log_scope
      DYNAMO_ES_REPLICATION  = var.replication
      DYNAMO_ES_KMS_KEY_ID   = local.has_field_key ? var.field_kms_key_arn : null
      DYNAMO_ES_UPKEEP       = var.read_model_upkeep
      READ_MODEL_TABLE       = local.read_model_has_table ? var.read_model_table : null
    }, var.environment) : name => each if each != null }
  }
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
    {
      key   = "component"
      value = "projection"
    },
  ]
}

resource "awscc_logs_log_group" "read_model_logs" {
  count             = local.has_read_model ? 1 : 0
  retention_in_days = var.log_retention_days
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
  ]
}

resource "awscc_lambda_event_source_mapping" "read_model_mapping" {
  count                              = local.has_read_model ? 1 : 0
  event_source_arn                   = local.read_model_follows_log ? awscc_dynamodb_table.log_table.stream_arn : awscc_dynamodb_table.events_table.stream_arn
  function_name                      = awscc_lambda_function.read_model_function[0].function_name
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = var.read_model_batch_size
  maximum_batching_window_in_seconds = var.read_model_window_seconds
  parallelization_factor             = 1
  function_response_types            = ["ReportBatchItemFailures"]
  bisect_batch_on_function_error     = true
  maximum_retry_attempts             = 100
  maximum_record_age_in_seconds      = 3600
  filter_criteria = local.read_model_follows_log ? {
    filters = [
      {
        pattern = "{\"dynamodb\": {\"Keys\": {\"log_key\": {\"S\": [\"log\", {\"suffix\": \"#log\"}]}}}}"
      },
    ]
    } : {
    filters = [
      {
        pattern = "{\"eventName\": [\"INSERT\", \"MODIFY\"], \"dynamodb\": {\"Keys\": {\"version\": {\"N\": [{\"anything-but\": [\"1000000000000000000\"]}]}}}}"
      },
    ]
  }
  destination_config = {
    on_failure = {
      destination = awscc_sqs_queue.read_model_failure_queue[0].arn
    }
  }
}

resource "awscc_sqs_queue" "read_model_failure_queue" {
  count                    = local.has_read_model ? 1 : 0
  message_retention_period = 1209600
  sqs_managed_sse_enabled  = true
  tags = [
    {
      key   = "application"
      value = "dynamo_es"
    },
    {
      key   = "component"
      value = "projection"
    },
  ]
}

resource "awscc_events_rule" "read_model_each_minute" {
  count               = local.has_read_model_and_read_model_keeps_up ? 1 : 0
  description         = "Calls the read model, which continues with the remaining work"
  schedule_expression = "rate(1 minute)"
  targets = [
    {
      id    = "function"
      arn   = awscc_lambda_function.read_model_function[0].arn
      input = "{\"dynamo_es\": \"upkeep\"}"
    },
  ]
}

resource "awscc_lambda_permission" "read_model_each_minute_permission" {
  count         = local.has_read_model_and_read_model_keeps_up ? 1 : 0
  action        = "lambda:InvokeFunction"
  function_name = awscc_lambda_function.read_model_function[0].function_name
  principal     = "events.amazonaws.com"
  source_arn    = awscc_events_rule.read_model_each_minute[0].arn
}

resource "awscc_events_rule" "read_model_retry_parked" {
  count               = local.has_read_model_and_read_model_keeps_up ? 1 : 0
  description         = "Retries the parked streams of the read model"
  schedule_expression = "rate(${var.read_model_retry_parked_minutes} minutes)"
  targets = [
    {
      id    = "function"
      arn   = awscc_lambda_function.read_model_function[0].arn
      input = "{\"dynamo_es\": \"retry_parked\"}"
    },
  ]
}

resource "awscc_lambda_permission" "read_model_retry_parked_permission" {
  count         = local.has_read_model_and_read_model_keeps_up ? 1 : 0
  action        = "lambda:InvokeFunction"
  function_name = awscc_lambda_function.read_model_function[0].function_name
  principal     = "events.amazonaws.com"
  source_arn    = awscc_events_rule.read_model_retry_parked[0].arn
}

resource "awscc_cloudwatch_alarm" "read_model_mapping_alarm" {
  count             = local.has_read_model_and_read_model_keeps_up ? 1 : 0
  alarm_description = "The event source mapping of the read model is off, or the function does not run. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-mapping-is-off"
  namespace         = "dynamo_es"
  metric_name       = "MappingsOff"
  dimensions = [
    {
      name  = "function"
      value = awscc_lambda_function.read_model_function[0].function_name
    },
  ]
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "read_model_parked_alarm" {
  count             = local.has_read_model_and_read_model_keeps_up ? 1 : 0
  alarm_description = "Streams are parked, because their events kept failing. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-stream-is-parked"
  namespace         = "dynamo_es"
  metric_name       = "Parked"
  dimensions = [
    {
      name  = "function"
      value = awscc_lambda_function.read_model_function[0].function_name
    },
  ]
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "read_model_retries_alarm" {
  count             = local.has_read_model ? 1 : 0
  alarm_description = "The read model keeps failing. Lambda's metric Errors stays at 0: the handler reports failed records. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#an-event-fails"
  namespace         = "dynamo_es"
  metric_name       = "Failures"
  dimensions = [
    {
      name  = "function"
      value = awscc_lambda_function.read_model_function[0].function_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "read_model_lag_alarm" {
  count             = local.has_read_model ? 1 : 0
  alarm_description = "The read model is minutes behind. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-read-model-lags"
  namespace         = "AWS/Lambda"
  metric_name       = "IteratorAge"
  dimensions = [
    {
      name  = "FunctionName"
      value = awscc_lambda_function.read_model_function[0].function_name
    },
  ]
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 300000
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "read_model_failure_alarm" {
  count             = local.has_read_model ? 1 : 0
  alarm_description = "Lambda gave up records. The function's logs say why. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-batch-was-given-up"
  namespace         = "AWS/SQS"
  metric_name       = "ApproximateNumberOfMessagesVisible"
  dimensions = [
    {
      name  = "QueueName"
      value = awscc_sqs_queue.read_model_failure_queue[0].queue_name
    },
  ]
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.has_topic ? [var.alarm_topic_arn] : null
}

resource "awscc_cloudwatch_alarm" "events_read_throttles" {
  count             = local.has_topic ? 1 : 0
  alarm_description = "Reads of the events table are throttled. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-table-throttles"
  namespace         = "AWS/DynamoDB"
  metric_name       = "ReadThrottleEvents"
  dimensions = [
    {
      name  = "TableName"
      value = awscc_dynamodb_table.events_table.table_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "awscc_cloudwatch_alarm" "events_write_throttles" {
  count             = local.has_topic ? 1 : 0
  alarm_description = "Writes to the events table are throttled. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-table-throttles"
  namespace         = "AWS/DynamoDB"
  metric_name       = "WriteThrottleEvents"
  dimensions = [
    {
      name  = "TableName"
      value = awscc_dynamodb_table.events_table.table_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "awscc_cloudwatch_alarm" "events_system_errors" {
  count               = local.has_topic ? 1 : 0
  alarm_description   = "DynamoDB answers requests to the events table with internal errors. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#dynamodb-has-internal-errors"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 3
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  metrics = [
    {
      id         = "all"
      label      = "internal errors of all operations"
      period     = 60
      expression = "SELECT SUM(SystemErrors) FROM SCHEMA(\"AWS/DynamoDB\", Operation, TableName) WHERE TableName = '${awscc_dynamodb_table.events_table.table_name}'"
    },
  ]
}

resource "awscc_cloudwatch_alarm" "log_read_throttles" {
  count             = local.has_topic ? 1 : 0
  alarm_description = "Reads of the log table are throttled. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-table-throttles"
  namespace         = "AWS/DynamoDB"
  metric_name       = "ReadThrottleEvents"
  dimensions = [
    {
      name  = "TableName"
      value = awscc_dynamodb_table.log_table.table_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "awscc_cloudwatch_alarm" "log_write_throttles" {
  count             = local.has_topic ? 1 : 0
  alarm_description = "Writes to the log table are throttled. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-table-throttles"
  namespace         = "AWS/DynamoDB"
  metric_name       = "WriteThrottleEvents"
  dimensions = [
    {
      name  = "TableName"
      value = awscc_dynamodb_table.log_table.table_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "awscc_cloudwatch_alarm" "log_system_errors" {
  count               = local.has_topic ? 1 : 0
  alarm_description   = "DynamoDB answers requests to the log table with internal errors. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#dynamodb-has-internal-errors"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 3
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  metrics = [
    {
      id         = "all"
      label      = "internal errors of all operations"
      period     = 60
      expression = "SELECT SUM(SystemErrors) FROM SCHEMA(\"AWS/DynamoDB\", Operation, TableName) WHERE TableName = '${awscc_dynamodb_table.log_table.table_name}'"
    },
  ]
}

resource "awscc_cloudwatch_alarm" "keys_system_errors" {
  count               = local.has_topic ? 1 : 0
  alarm_description   = "DynamoDB answers requests to the keys table with internal errors. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#dynamodb-has-internal-errors"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 3
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  metrics = [
    {
      id         = "all"
      label      = "internal errors of all operations"
      period     = 60
      expression = "SELECT SUM(SystemErrors) FROM SCHEMA(\"AWS/DynamoDB\", Operation, TableName) WHERE TableName = '${awscc_dynamodb_table.keys_table.table_name}'"
    },
  ]
}

resource "awscc_cloudwatch_alarm" "events_hot_writes" {
  count             = local.has_topic ? 1 : 0
  alarm_description = "One key range of the events table gets more writes than a partition can take. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#one-stream-is-hot"
  namespace         = "AWS/DynamoDB"
  metric_name       = "WriteKeyRangeThroughputThrottleEvents"
  dimensions = [
    {
      name  = "TableName"
      value = awscc_dynamodb_table.events_table.table_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "awscc_cloudwatch_alarm" "events_hot_reads" {
  count             = local.has_topic ? 1 : 0
  alarm_description = "One key range of the events table gets more reads than a partition can take. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#one-stream-is-hot"
  namespace         = "AWS/DynamoDB"
  metric_name       = "ReadKeyRangeThroughputThrottleEvents"
  dimensions = [
    {
      name  = "TableName"
      value = awscc_dynamodb_table.events_table.table_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "awscc_cloudwatch_alarm" "log_hot_writes" {
  count             = local.has_topic ? 1 : 0
  alarm_description = "One key range of the log table gets more writes than a partition can take. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#the-log-is-hot"
  namespace         = "AWS/DynamoDB"
  metric_name       = "WriteKeyRangeThroughputThrottleEvents"
  dimensions = [
    {
      name  = "TableName"
      value = awscc_dynamodb_table.log_table.table_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "awscc_cloudwatch_alarm" "log_hot_reads" {
  count             = local.has_topic ? 1 : 0
  alarm_description = "One key range of the log table gets more reads than a partition can take. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#the-log-is-hot"
  namespace         = "AWS/DynamoDB"
  metric_name       = "ReadKeyRangeThroughputThrottleEvents"
  dimensions = [
    {
      name  = "TableName"
      value = awscc_dynamodb_table.log_table.table_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "awscc_cloudwatch_alarm" "keys_read_throttles" {
  count             = local.has_topic ? 1 : 0
  alarm_description = "Reads of the keys table are throttled, so encrypted fields cannot be read. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-table-throttles"
  namespace         = "AWS/DynamoDB"
  metric_name       = "ReadThrottleEvents"
  dimensions = [
    {
      name  = "TableName"
      value = awscc_dynamodb_table.keys_table.table_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "awscc_cloudwatch_alarm" "keys_write_throttles" {
  count             = local.has_topic ? 1 : 0
  alarm_description = "Writes to the keys table are throttled, so data of new subjects cannot be encrypted. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#a-table-throttles"
  namespace         = "AWS/DynamoDB"
  metric_name       = "WriteThrottleEvents"
  dimensions = [
    {
      name  = "TableName"
      value = awscc_dynamodb_table.keys_table.table_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "awscc_cloudwatch_alarm" "conflicts" {
  count             = local.has_topic ? 1 : 0
  alarm_description = "Many appends are refused. Check whether many programs write to one stream. https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#many-appends-conflict"
  namespace         = "AWS/DynamoDB"
  metric_name       = "ConditionalCheckFailedRequests"
  dimensions = [
    {
      name  = "TableName"
      value = awscc_dynamodb_table.events_table.table_name
    },
  ]
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  threshold           = var.conflicts_per_minute
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "awscc_cloudwatch_dashboard" "dashboard" {
  count          = local.has_topic ? 1 : 0
  dashboard_body = "{\"widgets\": [\n  {\"type\": \"metric\", \"x\": 0, \"y\": 0, \"width\": 8, \"height\": 6, \"properties\": {\"title\": \"Seconds that events wait for positions\", \"region\": \"${var.region}\", \"view\": \"timeSeries\", \"period\": 60, \"metrics\": [[{\"expression\": \"SEARCH('{dynamo_es,function} MetricName=\\\"LagSeconds\\\"', 'Maximum', 60)\", \"id\": \"e1\"}]]}},\n  {\"type\": \"metric\", \"x\": 8, \"y\": 0, \"width\": 8, \"height\": 6, \"properties\": {\"title\": \"Parked streams\", \"region\": \"${var.region}\", \"view\": \"timeSeries\", \"period\": 60, \"metrics\": [[{\"expression\": \"SEARCH('{dynamo_es,function} MetricName=\\\"Parked\\\"', 'Maximum', 60)\", \"id\": \"e1\"}]]}},\n  {\"type\": \"metric\", \"x\": 16, \"y\": 0, \"width\": 8, \"height\": 6, \"properties\": {\"title\": \"Mappings that are off\", \"region\": \"${var.region}\", \"view\": \"timeSeries\", \"period\": 60, \"metrics\": [[{\"expression\": \"SEARCH('{dynamo_es,function} MetricName=\\\"MappingsOff\\\"', 'Maximum', 60)\", \"id\": \"e1\"}]]}},\n  {\"type\": \"metric\", \"x\": 0, \"y\": 6, \"width\": 8, \"height\": 6, \"properties\": {\"title\": \"Failed records and attempts\", \"region\": \"${var.region}\", \"view\": \"timeSeries\", \"period\": 60, \"metrics\": [[{\"expression\": \"SEARCH('{dynamo_es,function} MetricName=\\\"Failures\\\"', 'Sum', 60)\", \"id\": \"e1\"}]]}},\n  {\"type\": \"metric\", \"x\": 8, \"y\": 6, \"width\": 8, \"height\": 6, \"properties\": {\"title\": \"Dead events of outboxes\", \"region\": \"${var.region}\", \"view\": \"timeSeries\", \"period\": 60, \"metrics\": [[{\"expression\": \"SEARCH('{dynamo_es,function} MetricName=\\\"Dead\\\"', 'Maximum', 60)\", \"id\": \"e1\"}]]}},\n  {\"type\": \"metric\", \"x\": 16, \"y\": 6, \"width\": 8, \"height\": 6, \"properties\": {\"title\": \"Seconds since the oldest waiting event failed\", \"region\": \"${var.region}\", \"view\": \"timeSeries\", \"period\": 60, \"metrics\": [[{\"expression\": \"SEARCH('{dynamo_es,function} MetricName=\\\"OldestSeconds\\\"', 'Maximum', 60)\", \"id\": \"e1\"}]]}},\n  {\"type\": \"metric\", \"x\": 0, \"y\": 12, \"width\": 8, \"height\": 6, \"properties\": {\"title\": \"Units written\", \"region\": \"${var.region}\", \"view\": \"timeSeries\", \"period\": 60, \"stat\": \"Sum\", \"metrics\": [[\"AWS/DynamoDB\", \"ConsumedWriteCapacityUnits\", \"TableName\", \"${awscc_dynamodb_table.events_table.table_name}\"], [\"AWS/DynamoDB\", \"ConsumedWriteCapacityUnits\", \"TableName\", \"${awscc_dynamodb_table.log_table.table_name}\"], [\"AWS/DynamoDB\", \"ConsumedWriteCapacityUnits\", \"TableName\", \"${awscc_dynamodb_table.keys_table.table_name}\"]]}},\n  {\"type\": \"metric\", \"x\": 8, \"y\": 12, \"width\": 8, \"height\": 6, \"properties\": {\"title\": \"Units read\", \"region\": \"${var.region}\", \"view\": \"timeSeries\", \"period\": 60, \"stat\": \"Sum\", \"metrics\": [[\"AWS/DynamoDB\", \"ConsumedReadCapacityUnits\", \"TableName\", \"${awscc_dynamodb_table.events_table.table_name}\"], [\"AWS/DynamoDB\", \"ConsumedReadCapacityUnits\", \"TableName\", \"${awscc_dynamodb_table.log_table.table_name}\"], [\"AWS/DynamoDB\", \"ConsumedReadCapacityUnits\", \"TableName\", \"${awscc_dynamodb_table.keys_table.table_name}\"]]}},\n  {\"type\": \"metric\", \"x\": 16, \"y\": 12, \"width\": 8, \"height\": 6, \"properties\": {\"title\": \"Throttled requests\", \"region\": \"${var.region}\", \"view\": \"timeSeries\", \"period\": 60, \"stat\": \"Sum\", \"metrics\": [[\"AWS/DynamoDB\", \"ReadThrottleEvents\", \"TableName\", \"${awscc_dynamodb_table.events_table.table_name}\"], [\"AWS/DynamoDB\", \"WriteThrottleEvents\", \"TableName\", \"${awscc_dynamodb_table.events_table.table_name}\"], [\"AWS/DynamoDB\", \"ReadThrottleEvents\", \"TableName\", \"${awscc_dynamodb_table.log_table.table_name}\"], [\"AWS/DynamoDB\", \"WriteThrottleEvents\", \"TableName\", \"${awscc_dynamodb_table.log_table.table_name}\"], [\"AWS/DynamoDB\", \"ReadThrottleEvents\", \"TableName\", \"${awscc_dynamodb_table.keys_table.table_name}\"], [\"AWS/DynamoDB\", \"WriteThrottleEvents\", \"TableName\", \"${awscc_dynamodb_table.keys_table.table_name}\"]]}}\n]}\n"
}

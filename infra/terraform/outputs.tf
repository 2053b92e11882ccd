# Made from infra/app.yaml by scripts/infra: edit the templates, then run it again.

output "events_table_name" {
  description = "For DYNAMO_ES_EVENTS_TABLE"
  value       = awscc_dynamodb_table.events_table.table_name
}

output "events_table_arn" {
  description = "For the policies of roles that append and load"
  value       = awscc_dynamodb_table.events_table.arn
}

output "events_stream_arn" {
  description = "For the event source mapping of the sequencer"
  value       = awscc_dynamodb_table.events_table.stream_arn
}

output "log_table_name" {
  description = "For DYNAMO_ES_LOG_TABLE"
  value       = awscc_dynamodb_table.log_table.table_name
}

output "log_table_arn" {
  description = "For the policies of roles that sequence and subscribe"
  value       = awscc_dynamodb_table.log_table.arn
}

output "log_stream_arn" {
  description = "For the event source mappings of totally ordered projections"
  value       = awscc_dynamodb_table.log_table.stream_arn
}

output "keys_table_name" {
  description = "For DYNAMO_ES_KEYS_TABLE"
  value       = awscc_dynamodb_table.keys_table.table_name
}

output "keys_table_arn" {
  description = "For the policies of roles that encrypt, decrypt and shred"
  value       = awscc_dynamodb_table.keys_table.arn
}

output "writers_policy" {
  description = "For roles that append"
  value       = awscc_iam_managed_policy.writers.policy_arn
}

output "readers_policy" {
  description = "For roles that load and subscribe"
  value       = awscc_iam_managed_policy.readers.policy_arn
}

output "deleters_policy" {
  description = "For roles that delete streams and shred keys"
  value       = awscc_iam_managed_policy.deleters.policy_arn
}

output "sequencers_policy" {
  description = "For the sequencer's role"
  value       = awscc_iam_managed_policy.sequencers.policy_arn
}

output "pollers_policy" {
  description = "For the role of a worker that polls, in addition to the sequencers' policy"
  value       = awscc_iam_managed_policy.pollers.policy_arn
}

output "consumers_policy" {
  description = "For roles of projections and outboxes"
  value       = awscc_iam_managed_policy.consumers.policy_arn
}

output "operators_policy" {
  description = "For people who verify and repair the log"
  value       = awscc_iam_managed_policy.operators.policy_arn
}

output "one_tenant_policy" {
  description = "For a role that callers assume for one tenant at a time"
  value       = awscc_iam_managed_policy.one_tenant.policy_arn
}

output "one_tenant_log_policy" {
  description = "For the same role, if each tenant has a log"
  value       = awscc_iam_managed_policy.one_tenant_log.policy_arn
}

output "key_users_policy" {
  description = "For every role, if your KMS key encrypts the tables"
  value       = local.has_kms_key ? awscc_iam_managed_policy.key_users[0].policy_arn : null
}

output "sequencer_function_arn" {
  description = "The sequencer"
  value       = local.has_sequencer ? awscc_lambda_function.sequencer_function[0].arn : null
}

output "sequencer_failure_queue_url" {
  description = "Queue with a message for each batch of records that Lambda gave up"
  value       = local.has_sequencer ? awscc_sqs_queue.sequencer_failure_queue[0].queue_url : null
}

output "sequencer_role_name" {
  description = "The function's role, to attach more permissions to"
  value       = local.has_sequencer ? awscc_iam_role.sequencer_role[0].role_name : null
}

output "sequencer_log_group_name" {
  description = "The function's logs"
  value       = local.has_sequencer ? awscc_logs_log_group.sequencer_logs[0].log_group_name : null
}

output "outbox_function_arn" {
  description = "The outbox"
  value       = local.has_outbox ? awscc_lambda_function.outbox_function[0].arn : null
}

output "outbox_failure_queue_url" {
  description = "Queue with a message for each batch of records that Lambda gave up"
  value       = local.has_outbox ? awscc_sqs_queue.outbox_failure_queue[0].queue_url : null
}

output "outbox_role_name" {
  description = "The function's role, to attach more permissions to"
  value       = local.has_outbox ? awscc_iam_role.outbox_role[0].role_name : null
}

output "outbox_log_group_name" {
  description = "The function's logs"
  value       = local.has_outbox ? awscc_logs_log_group.outbox_logs[0].log_group_name : null
}

output "read_model_function_arn" {
  description = "The projection"
  value       = local.has_read_model ? awscc_lambda_function.read_model_function[0].arn : null
}

output "read_model_failure_queue_url" {
  description = "Queue with a message for each batch of records that Lambda gave up"
  value       = local.has_read_model ? awscc_sqs_queue.read_model_failure_queue[0].queue_url : null
}

output "read_model_role_name" {
  description = "The function's role, to attach more permissions to"
  value       = local.has_read_model ? awscc_iam_role.read_model_role[0].role_name : null
}

output "read_model_log_group_name" {
  description = "The function's logs"
  value       = local.has_read_model ? awscc_logs_log_group.read_model_logs[0].log_group_name : null
}

output "dashboard_name" {
  description = "The dashboard in CloudWatch"
  value       = local.has_topic ? awscc_cloudwatch_dashboard.dashboard[0].dashboard_name : null
}

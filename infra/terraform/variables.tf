# Made from infra/app.yaml by scripts/infra: edit the templates, then run it again.

variable "sequencer" {
  description = "Whether a function gives events their positions in the log."
  type        = bool
  default     = true
}

variable "name_prefix" {
  description = "Prefix of the tables' names, which are {prefix}-events, {prefix}-log and {prefix}-keys."
  type        = string
  default     = "dynamo-es"

  validation {
    condition     = can(regex("^(?:[a-zA-Z0-9_.-]{1,240})$", var.name_prefix))
    error_message = "name_prefix must be at most 240 letters, digits, '_', '.' and '-'."
  }
}

variable "deletion_protection" {
  description = "While this is on, DynamoDB refuses to delete a table, for any caller. Turn it off only for stacks whose events may be lost."
  type        = bool
  default     = true
}

variable "kms_key_arn" {
  description = "ARN of your KMS key that encrypts the tables; empty if AWS owns the key."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$)$", var.kms_key_arn))
    error_message = "kms_key_arn must be empty, or the ARN of a KMS key; an alias does not work in a policy."
  }
}

variable "keys_recovery_days" {
  description = "Days for which you can restore the keys table to any second in the past."
  type        = number
  default     = 28

  validation {
    condition     = var.keys_recovery_days >= 1
    error_message = "keys_recovery_days must be 1 or more."
  }

  validation {
    condition     = var.keys_recovery_days <= 35
    error_message = "keys_recovery_days must be 35 or less."
  }
}

variable "table_class" {
  description = "Storage class of the events table and the log table."
  type        = string
  default     = "STANDARD"

  validation {
    condition     = contains(["STANDARD", "STANDARD_INFREQUENT_ACCESS"], var.table_class)
    error_message = "table_class must be one of STANDARD, STANDARD_INFREQUENT_ACCESS."
  }
}

variable "max_read_units" {
  description = "Most read units a second for each of the events and log tables; 0 for no limit."
  type        = number
  default     = 0

  validation {
    condition     = var.max_read_units >= 0
    error_message = "max_read_units must be 0 or more."
  }
}

variable "max_write_units" {
  description = "Most write units a second for each of the events and log tables; 0 for no limit."
  type        = number
  default     = 0

  validation {
    condition     = var.max_write_units >= 0
    error_message = "max_write_units must be 0 or more."
  }
}

variable "warm_read_units" {
  description = "Read units a second that the events and log tables take from the start, each."
  type        = number
  default     = 12000

  validation {
    condition     = var.warm_read_units >= 12000
    error_message = "warm_read_units must be 12000 or more."
  }
}

variable "warm_write_units" {
  description = "Write units a second that the events and log tables take from the start, each."
  type        = number
  default     = 4000

  validation {
    condition     = var.warm_write_units >= 4000
    error_message = "warm_write_units must be 4000 or more."
  }
}

variable "log_scope" {
  description = "table for one log with the events of all tenants, tenant for a log per tenant."
  type        = string
  default     = "table"

  validation {
    condition     = contains(["table", "tenant"], var.log_scope)
    error_message = "log_scope must be one of table, tenant."
  }
}

variable "replication" {
  description = "For global tables - replica in a Region that only reads events, strong if the tables have multi-Region strong consistency."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "replica", "strong"], var.replication)
    error_message = "replication must be one of none, replica, strong."
  }
}

variable "code_bucket" {
  description = "Name of the S3 bucket with the function's zip."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^(?:[a-z0-9.-]{3,63})$)$", var.code_bucket))
    error_message = "code_bucket must be text like ^$|^(?:[a-z0-9.-]{3,63})$."
  }
}

variable "code_key" {
  description = "Key of the zip in the bucket. It contains your code, dynamo_es and its dependencies."
  type        = string
  default     = "projection.zip"
}

variable "runtime" {
  description = "Python runtime that the zip was built for."
  type        = string
  default     = "python3.13"

  validation {
    condition     = contains(["python3.11", "python3.12", "python3.13", "python3.14"], var.runtime)
    error_message = "runtime must be one of python3.11, python3.12, python3.13, python3.14."
  }
}

variable "architecture" {
  description = "Processor architecture that the zip was built for."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be one of arm64, x86_64."
  }
}

variable "sequencer_window_seconds" {
  description = "Most seconds that Lambda waits to fill a batch."
  type        = number
  default     = 1

  validation {
    condition     = var.sequencer_window_seconds >= 0
    error_message = "sequencer_window_seconds must be 0 or more."
  }

  validation {
    condition     = var.sequencer_window_seconds <= 300
    error_message = "sequencer_window_seconds must be 300 or less."
  }
}

variable "transport" {
  description = "How requests are sent. \"lean\" starts in two thirds of the CPU time, with less memory."
  type        = string
  default     = "default"

  validation {
    condition     = contains(["default", "botocore", "lean"], var.transport)
    error_message = "transport must be one of default, botocore, lean."
  }
}

variable "sequencer_memory_size" {
  description = "Memory of the function, in megabytes."
  type        = number
  default     = 512

  validation {
    condition     = var.sequencer_memory_size >= 128
    error_message = "sequencer_memory_size must be 128 or more."
  }

  validation {
    condition     = var.sequencer_memory_size <= 10240
    error_message = "sequencer_memory_size must be 10240 or less."
  }
}

variable "sequencer_timeout" {
  description = "Seconds after which Lambda stops a call."
  type        = number
  default     = 60

  validation {
    condition     = var.sequencer_timeout >= 3
    error_message = "sequencer_timeout must be 3 or more."
  }

  validation {
    condition     = var.sequencer_timeout <= 900
    error_message = "sequencer_timeout must be 900 or less."
  }
}

variable "sequencer_batch_size" {
  description = "Most records in a batch. A page of the log holds up to a hundred commits."
  type        = number
  default     = 100

  validation {
    condition     = var.sequencer_batch_size >= 1
    error_message = "sequencer_batch_size must be 1 or more."
  }

  validation {
    condition     = var.sequencer_batch_size <= 10000
    error_message = "sequencer_batch_size must be 10000 or less."
  }
}

variable "sequencer_layers" {
  description = "ARNs of at most five layers, separated by commas; empty for none."
  type        = string
  default     = ""
}

variable "subnet_ids" {
  description = "Ids of the VPC subnets that the function runs in, separated by commas; empty for no VPC. The subnets need a route to DynamoDB, such as a gateway endpoint."
  type        = string
  default     = ""
}

variable "security_group_ids" {
  description = "Ids of the function's security groups in the VPC, separated by commas."
  type        = string
  default     = ""
}

variable "sequencer_extra_policy_arn" {
  description = "ARN of one more managed policy for the function's role; empty for none."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$)$", var.sequencer_extra_policy_arn))
    error_message = "sequencer_extra_policy_arn must be text like ^$|^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$."
  }
}

variable "tracing" {
  description = "Whether X-Ray traces the calls."
  type        = string
  default     = "PassThrough"

  validation {
    condition     = contains(["PassThrough", "Active"], var.tracing)
    error_message = "tracing must be one of PassThrough, Active."
  }
}

variable "log_format" {
  description = "Format of the function's log lines."
  type        = string
  default     = "JSON"

  validation {
    condition     = contains(["JSON", "Text"], var.log_format)
    error_message = "log_format must be one of JSON, Text."
  }
}

variable "log_level" {
  description = "Lowest level that is logged. It has an effect only if LogFormat is JSON."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["DEBUG", "INFO", "WARN", "ERROR"], var.log_level)
    error_message = "log_level must be one of DEBUG, INFO, WARN, ERROR."
  }
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the function's logs."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653."
  }
}

variable "sequencer_concurrency" {
  description = "Most concurrent calls. 0 reserves none, for accounts whose limit is too low. If each tenant has a log, more calls write more logs at once."
  type        = number
  default     = 1

  validation {
    condition     = var.sequencer_concurrency >= 0
    error_message = "sequencer_concurrency must be 0 or more."
  }
}

variable "alarm_topic_arn" {
  description = "ARN of the SNS topic that gets the alarms; empty for no alarms."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^arn:aws[a-z-]*:sns:.+$)$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be text like ^$|^arn:aws[a-z-]*:sns:.+$."
  }
}

variable "outbox_target_arn" {
  description = "ARN of the event bus, topic or queue that gets the events."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^(?:^arn:aws[a-z-]*:(events|sns|sqs):.+$)$)$", var.outbox_target_arn))
    error_message = "outbox_target_arn must be text like ^$|^(?:^arn:aws[a-z-]*:(events|sns|sqs):.+$)$."
  }
}

variable "outbox_source" {
  description = "Source of the events on an event bus. It must not begin with aws."
  type        = string
  default     = "dynamo_es"

  validation {
    condition     = var.outbox_source != "" && !startswith(var.outbox_source, "aws.")
    error_message = "outbox_source must not be of AWS."
  }
}

variable "outbox_name" {
  description = "Name of the outbox. Each name has its own position: give each target a different name."
  type        = string
  default     = "outbox"

  validation {
    condition     = can(regex("^(?:[^#]{1,255})$", var.outbox_name))
    error_message = "outbox_name must be text like [^#]{1,255}."
  }
}

variable "outbox_hours" {
  description = "Hours for which a failed event is retried. Then it waits for `dynamo-es outbox retry`."
  type        = number
  default     = 24

  validation {
    condition     = var.outbox_hours >= 1
    error_message = "outbox_hours must be 1 or more."
  }
}

variable "outbox_attempts" {
  description = "Most attempts to publish an event; empty for as many as Hours allows."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^[1-9][0-9]*$)$", var.outbox_attempts))
    error_message = "outbox_attempts must be text like ^$|^[1-9][0-9]*$."
  }
}

variable "outbox_window_seconds" {
  description = "Most seconds that Lambda waits to fill a batch."
  type        = number
  default     = 1

  validation {
    condition     = var.outbox_window_seconds >= 0
    error_message = "outbox_window_seconds must be 0 or more."
  }

  validation {
    condition     = var.outbox_window_seconds <= 300
    error_message = "outbox_window_seconds must be 300 or less."
  }
}

variable "outbox_memory_size" {
  description = "Memory of the function, in megabytes."
  type        = number
  default     = 512

  validation {
    condition     = var.outbox_memory_size >= 128
    error_message = "outbox_memory_size must be 128 or more."
  }

  validation {
    condition     = var.outbox_memory_size <= 10240
    error_message = "outbox_memory_size must be 10240 or less."
  }
}

variable "outbox_timeout" {
  description = "Seconds after which Lambda stops a call."
  type        = number
  default     = 60

  validation {
    condition     = var.outbox_timeout >= 3
    error_message = "outbox_timeout must be 3 or more."
  }

  validation {
    condition     = var.outbox_timeout <= 900
    error_message = "outbox_timeout must be 900 or less."
  }
}

variable "outbox_batch_size" {
  description = "Most records in a batch."
  type        = number
  default     = 100

  validation {
    condition     = var.outbox_batch_size >= 1
    error_message = "outbox_batch_size must be 1 or more."
  }

  validation {
    condition     = var.outbox_batch_size <= 10000
    error_message = "outbox_batch_size must be 10000 or less."
  }
}

variable "outbox_layers" {
  description = "ARNs of at most five layers, separated by commas; empty for none."
  type        = string
  default     = ""
}

variable "outbox_extra_policy_arn" {
  description = "ARN of one more managed policy for the function's role; empty for none."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$)$", var.outbox_extra_policy_arn))
    error_message = "outbox_extra_policy_arn must be text like ^$|^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$."
  }
}

variable "field_kms_key_arn" {
  description = "ARN of the KMS key that encrypts the keys of Encrypted fields; empty for none."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$)$", var.field_kms_key_arn))
    error_message = "field_kms_key_arn must be empty, or the ARN of a KMS key; an alias does not work in a policy."
  }
}

variable "read_model_handler" {
  description = "Your handler, such as app.balances."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^(?:[A-Za-z0-9_.]+)$)$", var.read_model_handler))
    error_message = "read_model_handler must be text like ^$|^(?:[A-Za-z0-9_.]+)$."
  }
}

variable "read_model_source" {
  description = "Table whose stream calls the function - events, or log for the total order."
  type        = string
  default     = "events"

  validation {
    condition     = contains(["events", "log"], var.read_model_source)
    error_message = "read_model_source must be one of events, log."
  }
}

variable "read_model_policy_arn" {
  description = "Managed policy that lets the function write its read model."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^(?:^arn:aws[a-z-]*:iam::.*:policy/.+$)$)$", var.read_model_policy_arn))
    error_message = "read_model_policy_arn must be text like ^$|^(?:^arn:aws[a-z-]*:iam::.*:policy/.+$)$."
  }
}

variable "read_model_table" {
  description = "Your read model's table. The variable READ_MODEL_TABLE passes this text to your handler."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^[a-zA-Z0-9_.:/-]{0,255}$)$", var.read_model_table))
    error_message = "read_model_table must be text like ^[a-zA-Z0-9_.:/-]{0,255}$."
  }
}

variable "read_model_window_seconds" {
  description = "Most seconds that Lambda waits to fill a batch."
  type        = number
  default     = 1

  validation {
    condition     = var.read_model_window_seconds >= 0
    error_message = "read_model_window_seconds must be 0 or more."
  }

  validation {
    condition     = var.read_model_window_seconds <= 300
    error_message = "read_model_window_seconds must be 300 or less."
  }
}

variable "read_model_memory_size" {
  description = "Memory of the function, in megabytes."
  type        = number
  default     = 512

  validation {
    condition     = var.read_model_memory_size >= 128
    error_message = "read_model_memory_size must be 128 or more."
  }

  validation {
    condition     = var.read_model_memory_size <= 10240
    error_message = "read_model_memory_size must be 10240 or less."
  }
}

variable "read_model_timeout" {
  description = "Seconds after which Lambda stops a call."
  type        = number
  default     = 60

  validation {
    condition     = var.read_model_timeout >= 3
    error_message = "read_model_timeout must be 3 or more."
  }

  validation {
    condition     = var.read_model_timeout <= 900
    error_message = "read_model_timeout must be 900 or less."
  }
}

variable "read_model_batch_size" {
  description = "Most records in a batch."
  type        = number
  default     = 100

  validation {
    condition     = var.read_model_batch_size >= 1
    error_message = "read_model_batch_size must be 1 or more."
  }

  validation {
    condition     = var.read_model_batch_size <= 10000
    error_message = "read_model_batch_size must be 10000 or less."
  }
}

variable "read_model_layers" {
  description = "ARNs of at most five layers, separated by commas; empty for none."
  type        = string
  default     = ""
}

variable "read_model_extra_policy_arn" {
  description = "ARN of one more managed policy for the function's role; empty for none."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(?:^$|^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$)$", var.read_model_extra_policy_arn))
    error_message = "read_model_extra_policy_arn must be text like ^$|^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$."
  }
}

variable "read_model_upkeep" {
  description = "Whether schedules call the handler - each minute to continue unfinished work and write metrics, and less often to retry parked streams. Turn it off if dynamo_es did not make your handler."
  type        = bool
  default     = true
}

variable "read_model_retry_parked_minutes" {
  description = "Minutes between retries of parked streams."
  type        = number
  default     = 15

  validation {
    condition     = var.read_model_retry_parked_minutes >= 2
    error_message = "read_model_retry_parked_minutes must be 2 or more."
  }
}

variable "conflicts_per_minute" {
  description = "Refused conditional writes a minute, such as conflicting appends, that are normal here."
  type        = number
  default     = 100

  validation {
    condition     = var.conflicts_per_minute >= 1
    error_message = "conflicts_per_minute must be 1 or more."
  }
}

variable "environment" {
  description = "More variables of all functions."
  type        = map(string)
  default     = {}
}

variable "partition" {
  description = "Partition of AWS."
  type        = string
  default     = "aws"
}

variable "region" {
  description = "Region of the provider, for names and links."
  type        = string
}

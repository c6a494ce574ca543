variable "project" {
  description = "The project of Google Cloud."
  type        = string
}

variable "region" {
  description = "Where the service runs: near its database."
  type        = string
}

variable "name" {
  description = "What the service is called."
  type        = string
  default     = "weft"
}

variable "image" {
  description = "The image, with its tag or digest."
  type        = string
}

variable "network" {
  description = "The subnetwork by which PostgreSQL and Redis are reached: projects/P/regions/R/subnetworks/S."
  type        = string
}

variable "secrets" {
  description = "Secret Manager's ids of what weft is told: the addresses of PostgreSQL and Redis, and the key of seals."
  type = object({
    database_url           = string
    database_migration_url = string
    redis_url              = string
    seal_key               = string
  })
}

variable "instances" {
  description = "Fewest and most instances. The fewest is at least one: jobs and events are somebody's work while nobody calls."
  type = object({
    min = number
    max = number
  })
  default = {
    min = 1
    max = 4
  }
  validation {
    condition     = var.instances.min >= 1 && var.instances.max >= var.instances.min
    error_message = "At least one instance, and no fewer at most than at least."
  }
}

variable "connection_limit" {
  description = "Connections that the database grants to the service; each instance gets its share."
  type        = number
  default     = 90
  validation {
    condition     = var.connection_limit >= 10
    error_message = "Ten connections at least."
  }
}

variable "settings" {
  description = "Other settings, by their environment variables: {WEFT_LOG_LEVEL = \"info\"}."
  type        = map(string)
  default     = {}
}

variable "is_public" {
  description = "Whether everyone may call the edge; else who holds roles/run.invoker. Methods ask for their own permissions in both cases."
  type        = bool
  default     = true
}

variable "name" {
  description = "What the release is called."
  type        = string
  default     = "weft"
}

variable "namespace" {
  description = "The namespace; it is made if it is not there."
  type        = string
  default     = "weft"
}

variable "form" {
  description = "How the domains are spread over Deployments."
  type        = string
  default     = "suites"
  validation {
    condition     = contains(["one", "suites", "domains"], var.form)
    error_message = "The form is one, suites or domains."
  }
}

variable "image" {
  description = "The image, without and with its tag."
  type = object({
    repository = string
    tag        = string
  })
}

variable "database_secret" {
  description = "The Secret with the addresses of PostgreSQL: the chart's database.existingSecret."
  type        = string
}

variable "values" {
  description = "Other values of the chart."
  type        = any
  default     = {}
}

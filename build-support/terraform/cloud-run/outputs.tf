output "url" {
  description = "Where the edge is."
  value       = google_cloud_run_v2_service.weft.uri
}

output "migrate" {
  description = "What runs the migrations: before the first start, and before each new image."
  value       = "gcloud run jobs execute ${google_cloud_run_v2_job.migrations.name} --project ${var.project} --region ${var.region} --wait"
}

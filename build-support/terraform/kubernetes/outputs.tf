output "edge" {
  description = "The Service of the edge, inside the cluster."
  value       = "http://${helm_release.weft.name}-edge.${helm_release.weft.namespace}.svc"
}

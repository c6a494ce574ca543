# The chart of this repository, on a cluster that the helm provider is configured for.

resource "helm_release" "weft" {
  name             = var.name
  namespace        = var.namespace
  create_namespace = true
  chart            = "${path.module}/../../../k8s/chart/weft"
  # A release whose pods do not get ready is taken back.
  atomic  = true
  timeout = 600
  values = [
    yamlencode({
      form     = var.form
      image    = var.image
      database = { existingSecret = var.database_secret }
    }),
    yamlencode(var.values),
  ]
}

#!/usr/bin/env bash
# A whole Kubernetes on one machine, without a network: etcd, API server, controller manager, scheduler, containerd, kubelet,
# kube-proxy and CoreDNS as plain processes inside a network namespace of their own. Charts are installed for real.
#
#   cluster.sh tools                 build what is missing into $TOOLS (Go 1.24+; root; Debian: etcd-server containerd runc
#                                    containernetworking-plugins iptables conntrack iproute2 gcc)
#   cluster.sh up                    start; returns when the node is Ready
#   cluster.sh image REF ROOT [CMD]  make an image of the folder ROOT, entry point CMD (default: none), and import it
#   cluster.sh import FILE           import a docker-archive
#   cluster.sh exec CMD...           run kubectl, helm, curl, .. inside (KUBECONFIG set, pods and services reachable)
#   cluster.sh define                teach the API server what cert-manager, the Gateway API and the Prometheus operator define
#   cluster.sh enforce               from now on NetworkPolicies hold, by kube-router (Debian: ipset)
#   cluster.sh measure               from now on pods' use of processors is known, by metrics-server, so that autoscaling works
#   cluster.sh down                  stop everything and remove $HERE
set -euo pipefail
# shellcheck source=build-support/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"
KUBE=v$KUBERNETES_VERSION
KUBE_ROUTER=github.com/cloudnativelabs/kube-router/v2
TOOLS=${TOOLS:-$HOME/.cache/weft-cluster/$KUBE}
HERE=${CLUSTER_DIR:-/tmp/weft-cluster}
NS=${CLUSTER_NETNS:-weft-cluster}
NODE=10.244.0.1 SERVICES=10.96.0.0/16 PODS=10.244.0.0/24
SOCK=$HERE/containerd.sock
export PATH="$TOOLS:$PATH"

inside() { nsenter --net="/var/run/netns/$NS" "$@"; }
# Where the kernel lays one folder over another, a pod's files need not be copied when it starts.
best_snapshotter() {
  local name=native probe; probe=$(mktemp -d "$HERE/overlay.XXXX"); mkdir "$probe"/{lower,upper,work,merged}
  if mount -t overlay overlay -o "lowerdir=$probe/lower,upperdir=$probe/upper,workdir=$probe/work" "$probe/merged" 2>/dev/null; then
    umount "$probe/merged"; name=overlayfs
  fi
  rm -rf "$probe"; echo "$name"
}
import() { ctr_ images import --snapshotter "$(cat "$HERE/snapshotter")" "$1" >/dev/null; }
ctr_() { inside ctr -a "$SOCK" -n k8s.io "$@"; }
pod_namespaces() { ip netns list 2>/dev/null | awk '/^cni-/ {print $1}' | sort; }
start() { # NAME CMD...: in the background, its output in NAME.log, its process group in NAME.pid
  local name=$1; shift
  setsid nsenter --net="/var/run/netns/$NS" "$@" >"$HERE/$name.log" 2>&1 </dev/null &
  echo $! >"$HERE/$name.pid"
}
until_ok() { # SECONDS WHAT CMD...
  local n=$1 what=$2; shift 2
  for _ in $(seq "$((n * 5))"); do "$@" >/dev/null 2>&1 && return; sleep .2; done
  echo "cluster: $what did not come up in $n s; logs are in $HERE" >&2; return 1
}

tools() {
  mkdir -p "$TOOLS/src"
  for p in etcd containerd runc iptables conntrack ip gcc; do
    command -v $p >/dev/null || { echo "cluster: $p is missing: apt-get install etcd-server containerd runc containernetworking-plugins iptables conntrack iproute2 gcc" >&2; exit 1; }
  done
  if [ ! -x "$TOOLS/kubelet" ]; then
    # go install cannot build a module with replace directives: a small module of ours names the same staging versions.
    cd "$TOOLS/src"
    local staging=v0${KUBE#v1}
    printf 'module cluster\ngo 1.24\n' >go.mod
    printf 'package tools\nimport (\n_ "k8s.io/kubernetes/cmd/kube-apiserver/app"\n_ "k8s.io/kubernetes/cmd/kubelet/app"\n_ "k8s.io/kubernetes/cmd/kube-proxy/app"\n)\n' >tools.go
    sed -i '1i //go:build tools\n' tools.go
    local gomod; gomod=$(go mod download -json "k8s.io/kubernetes@$KUBE" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
    { echo "require k8s.io/kubernetes $KUBE"; sed -n '/^replace (/,/^)/p' "$gomod" | awk -v v="$staging" '/=>/ {print "replace " $1 " => " $1 " " v}'; } >>go.mod
    go mod tidy
    local stamp=k8s.io/component-base/version minor=${KUBE#v1.}
    CGO_ENABLED=0 go build -mod=mod -ldflags "-s -w -X $stamp.gitVersion=$KUBE -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%%.*}" -o "$TOOLS/" \
      k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubelet,kube-proxy,kubectl}
  fi
  [ -x "$TOOLS/coredns" ] || GOBIN="$TOOLS" go install "github.com/coredns/coredns@v$COREDNS_VERSION"
  [ -x "$TOOLS/kubeconform" ] || GOBIN="$TOOLS" go install "github.com/yannh/kubeconform/cmd/kubeconform@v$KUBECONFORM_VERSION"
  tools_install helm
}

# What only `define`, `enforce` and `measure` need.
DEFINITIONS=$TOOLS/definitions-$CERT_MANAGER_VERSION-$GATEWAY_API_VERSION-$PROMETHEUS_OPERATOR_VERSION
tools_definitions() {
  [ -d "$DEFINITIONS" ] && return
  local partial; partial=$(mktemp -d "$TOOLS/definitions.XXXX")
  definitions_of github.com/cert-manager/cert-manager "$CERT_MANAGER_VERSION" deploy/crds/cert-manager.io_certificates.yaml
  definitions_of sigs.k8s.io/gateway-api "$GATEWAY_API_VERSION" config/crd/standard/gateway.networking.k8s.io_{http,grpc}routes.yaml
  definitions_of github.com/prometheus-operator/prometheus-operator "$PROMETHEUS_OPERATOR_VERSION" \
    example/prometheus-operator-crd/monitoring.coreos.com_{servicemonitors,prometheusrules}.yaml
  mv "$partial" "$DEFINITIONS"
}
definitions_of() { # MODULE VERSION FILE...: from a Go module, into $partial
  local module=$1 version=$2 folder file; shift 2
  folder=$(go mod download -json "$module@v$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p') ||
    { echo "cluster: $module v$version cannot be had from Go's module proxy" >&2; exit 1; }
  for file in "$@"; do install -m 644 "$folder/$file" "$partial/"; done
}
tools_policies() {
  command -v ipset >/dev/null || { echo "cluster: ipset is missing: apt-get install ipset" >&2; exit 1; }
  [ -x "$TOOLS/kube-router" ] && return
  cd "$(mktemp -d "$TOOLS/src/kube-router.XXXX")"
  # By its sums, which not every mirror of the sums' database has.
  printf 'module cluster\ngo 1.24\nrequire %s %s\n' "$KUBE_ROUTER" "v$KUBE_ROUTER_VERSION" >go.mod
  printf '%s %s %s\n' "$KUBE_ROUTER" "v$KUBE_ROUTER_VERSION" "$KUBE_ROUTER_SUM" "$KUBE_ROUTER" "v$KUBE_ROUTER_VERSION/go.mod" "$KUBE_ROUTER_MOD_SUM" >go.sum
  printf '//go:build tools\npackage tools\nimport _ "%s/cmd/kube-router"\n' "$KUBE_ROUTER" >tools.go
  CGO_ENABLED=0 go build -mod=mod -ldflags '-s -w' -o "$TOOLS/" "$KUBE_ROUTER/cmd/kube-router"
}
tools_metrics() {
  [ -x "$TOOLS/metrics-server" ] || GOBIN="$TOOLS" go install -ldflags '-s -w' "sigs.k8s.io/metrics-server/cmd/metrics-server@v$METRICS_SERVER_VERSION"
}

image() { # a docker-archive of one layer, made by hand: no engine is needed
  local ref=$1 root=$2 cmd=${3:-} tar; tar=$(mktemp -d "$HERE/image.XXXX")
  tar --numeric-owner --owner=0 --group=0 --sort=name --mtime=@0 -C "$root" -cf "$tar/layer.tar" .
  local layer; layer=$(sha256sum <"$tar/layer.tar" | cut -d' ' -f1)
  printf '{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/usr/local/bin:/usr/bin:/bin"],"User":"65532:65532"%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "${cmd:+,\"Entrypoint\":[\"$cmd\"]}" "$layer" >"$tar/config.json"
  printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$ref" >"$tar/manifest.json"
  tar -C "$tar" -cf "$tar/image.tar" manifest.json config.json layer.tar
  import "$tar/image.tar"
  rm -rf "$tar"
}

certificates() {
  cd "$HERE"
  openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=cluster -days 30 2>/dev/null
  openssl req -newkey rsa:2048 -nodes -keyout api.key -out api.csr -subj /CN=kube-apiserver 2>/dev/null
  openssl x509 -req -in api.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out api.crt -days 30 2>/dev/null \
    -extfile <(echo "subjectAltName=IP:$NODE,IP:10.96.0.1,IP:127.0.0.1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc")
  # By which the API server shows those who extend it that a request came through it.
  openssl req -newkey rsa:2048 -nodes -keyout proxy.key -out proxy.csr -subj /CN=front-proxy-client 2>/dev/null
  openssl x509 -req -in proxy.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out proxy.crt -days 30 2>/dev/null
  openssl genrsa -out sa.key 2048 2>/dev/null
  local token; token=$(openssl rand -hex 16)
  echo "$token,admin,admin,\"system:masters\"" >tokens.csv
  cat >kubeconfig <<EOF
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://$NODE:6443", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: admin, user: {token: $token}}]
contexts: [{name: c, context: {cluster: c, user: admin}}]
current-context: c
EOF
}

up() {
  [ -e "$HERE" ] && { echo "cluster: $HERE exists: run '$0 down' first" >&2; exit 1; }
  mkdir -p "$HERE/cni" "$HERE/pause"; cd "$HERE"
  pod_namespaces >namespaces.before
  best_snapshotter >"$HERE/snapshotter"
  ip netns add "$NS"; inside ip link set lo up
  inside ip link add cni0 type bridge; inside ip addr add "$NODE/24" dev cni0; inside ip link set cni0 up
  inside ip route add default via "$NODE" dev cni0
  inside sysctl -qw net.ipv4.ip_forward=1
  certificates

  cat >containerd.toml <<EOF
version = 2
root = "$HERE/containerd"
state = "$HERE/containerd-state"
[grpc]
  address = "$SOCK"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "cluster/pause:1"
  restrict_oom_score_adj = true   # a machine without CAP_SYS_RESOURCE may not lower it
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$(cat "$HERE/snapshotter")"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$HERE/cni"
EOF
  cat >cni/10-bridge.conflist <<EOF
{"cniVersion":"0.4.0","name":"pods","plugins":[
  {"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,"hairpinMode":true,
   "ipam":{"type":"host-local","dataDir":"$HERE/ipam","ranges":[[{"subnet":"$PODS"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
  {"type":"portmap","capabilities":{"portMappings":true}}]}
EOF
  cat >kubelet.yaml <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE
containerRuntimeEndpoint: unix://$SOCK
cgroupDriver: cgroupfs
failSwapOn: false
failCgroupV1: false
enforceNodeAllocatable: []
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
evictionHard: {memory.available: 50Mi}
# However full the disk is: images that were imported cannot be pulled again.
imageGCHighThresholdPercent: 100
# What a Secret mounts follows it this fast, instead of within a minute or two.
syncFrequency: 5s
clusterDNS: ["$NODE"]
clusterDomain: cluster.local
resolvConf: /dev/null
registerWithTaints: []
volumePluginDir: $HERE/volume-plugins
EOF
  cat >Corefile <<EOF
.:53 {
  bind $NODE
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig $HERE/kubeconfig
    pods insecure
    ttl 5
  }
}
EOF
  start etcd etcd --data-dir "$HERE/etcd" --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync
  start containerd containerd -c "$HERE/containerd.toml"
  start apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --advertise-address="$NODE" --bind-address=0.0.0.0 --secure-port=6443 \
    --tls-cert-file=api.crt --tls-private-key-file=api.key --token-auth-file=tokens.csv --authorization-mode=Node,RBAC \
    --service-account-key-file=sa.key --service-account-signing-key-file=sa.key --service-account-issuer=https://kubernetes.default.svc \
    --service-cluster-ip-range="$SERVICES" --kubelet-preferred-address-types=InternalIP --allow-privileged=true \
    --requestheader-client-ca-file=ca.crt --requestheader-allowed-names=front-proxy-client --requestheader-username-headers=X-Remote-User \
    --requestheader-group-headers=X-Remote-Group --proxy-client-cert-file=proxy.crt --proxy-client-key-file=proxy.key
  until_ok 60 "the API server" inside kubectl --kubeconfig kubeconfig get --raw /readyz
  start controllers kube-controller-manager --kubeconfig=kubeconfig --service-account-private-key-file=sa.key --root-ca-file=ca.crt \
    --cluster-signing-cert-file=ca.crt --cluster-signing-key-file=ca.key --leader-elect=false \
    --horizontal-pod-autoscaler-sync-period=5s --horizontal-pod-autoscaler-downscale-stabilization=30s \
    --horizontal-pod-autoscaler-cpu-initialization-period=10s --horizontal-pod-autoscaler-initial-readiness-delay=5s
  start scheduler kube-scheduler --kubeconfig=kubeconfig --leader-elect=false
  until_ok 20 containerd ctr_ version
  printf '#include <signal.h>\n#include <unistd.h>\nstatic void bye(int s){_exit(s-s);}\nint main(void){signal(SIGTERM,bye);signal(SIGINT,bye);for(;;)pause();}\n' |
    gcc -static -O2 -x c -o pause/pause -
  image docker.io/cluster/pause:1 "$HERE/pause" /pause
  start kubelet kubelet --config=kubelet.yaml --kubeconfig=kubeconfig --hostname-override=node --node-ip="$NODE" --root-dir="$HERE/kubelet"
  start proxy kube-proxy --kubeconfig=kubeconfig --master="https://$NODE:6443" --cluster-cidr="$PODS" --hostname-override=node \
    --proxy-mode=iptables --conntrack-max-per-core=0 --nodeport-addresses=primary
  start dns coredns -conf "$HERE/Corefile"
  until_ok 60 "the node" inside kubectl --kubeconfig kubeconfig wait --for=condition=Ready node/node --timeout=1s
  echo "cluster $KUBE is up: $0 exec kubectl get nodes"
}

define() {
  local kube=(inside kubectl --kubeconfig "$HERE/kubeconfig")
  "${kube[@]}" apply --server-side --filename "$DEFINITIONS" >/dev/null
  until_ok 30 "what others define" "${kube[@]}" get certificates.cert-manager.io,httproutes,grpcroutes,servicemonitors,prometheusrules
}

enforce() {
  # What one pod sends another through the bridge passes the rules, too.
  inside sysctl -qw net.bridge.bridge-nf-call-iptables=1
  cd "$HERE"
  start policies kube-router --kubeconfig=kubeconfig --master="https://$NODE:6443" --hostname-override=node \
    --run-firewall=true --run-router=false --run-service-proxy=false --service-cluster-ip-range="$SERVICES"
  until_ok 30 "what enforces NetworkPolicies" inside iptables --list-rules KUBE-ROUTER-FORWARD
}

measure() {
  mkdir -p "$HERE/metrics-certificates"; cd "$HERE"
  start metrics metrics-server --kubeconfig=kubeconfig --authentication-kubeconfig=kubeconfig --authorization-kubeconfig=kubeconfig \
    --secure-port=4443 --cert-dir="$HERE/metrics-certificates" --kubelet-insecure-tls --kubelet-preferred-address-types=InternalIP \
    --metric-resolution=10s --kubelet-request-timeout=5s
  inside kubectl --kubeconfig kubeconfig apply -f - >/dev/null <<EOF
apiVersion: v1
kind: Service
metadata: {name: metrics-server, namespace: kube-system}
spec: {ports: [{name: https, port: 443, targetPort: 4443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: metrics-server, namespace: kube-system, labels: {kubernetes.io/service-name: metrics-server}}
addressType: IPv4
ports: [{name: https, port: 4443}]
endpoints: [{addresses: ["$NODE"]}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  service: {name: metrics-server, namespace: kube-system}
  group: metrics.k8s.io
  version: v1beta1
  insecureSkipTLSVerify: true
  groupPriorityMinimum: 100
  versionPriority: 100
EOF
  until_ok 90 "what measures pods" inside kubectl --kubeconfig kubeconfig top nodes
}

down() {
  for n in policies metrics dns proxy kubelet; do [ -f "$HERE/$n.pid" ] && kill -- "-$(cat "$HERE/$n.pid")" 2>/dev/null; done || true
  if [ -S "$SOCK" ]; then
    ctr_ task ls -q 2>/dev/null | xargs -r -n1 nsenter --net="/var/run/netns/$NS" ctr -a "$SOCK" -n k8s.io task kill -s KILL 2>/dev/null || true
    sleep 1
  fi
  for n in containerd scheduler controllers apiserver etcd; do [ -f "$HERE/$n.pid" ] && kill -- "-$(cat "$HERE/$n.pid")" 2>/dev/null; done || true
  sleep 1
  ip netns pids "$NS" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
  awk -v d="$HERE/" 'index($2, d) == 1 {print $2}' /proc/mounts | sort -r | xargs -r -n1 umount -l 2>/dev/null || true
  if [ -f "$HERE/namespaces.before" ]; then
    pod_namespaces | comm -13 "$HERE/namespaces.before" - | xargs -r -n1 ip netns del 2>/dev/null || true
  fi
  ip netns del "$NS" 2>/dev/null || true
  rm -rf "$HERE"
}

case ${1:-} in
  tools) tools ;;
  up) tools; up ;;
  image) shift; image "$@" ;;
  import) shift; import "$1" ;;
  exec) shift; KUBECONFIG=$HERE/kubeconfig inside "$@" ;;
  define) tools_definitions; define ;;
  enforce) tools_policies; enforce ;;
  measure) tools_metrics; measure ;;
  down) down ;;
  *) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

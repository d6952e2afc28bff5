# shellcheck shell=bash
# cluster.sh: a cluster of one node: etcd, containerd, runc and the network
# plugins of Debian, the rest as kubernetes/build has made it. Nothing of it asks
# for a network: the one image beside the page's is made here.

dir=/srv/kubernetes node=10.88.0.1
mkdir -p "$dir" /var/lib/{containerd,containers,kubelet} /etc/cni/net.d
# Layers of images are overlays, which cannot lie on the copy's own.
mount -t tmpfs tmpfs /var/lib/containerd
mount -t tmpfs tmpfs /var/lib/containers
mount -t tmpfs tmpfs /var/lib/kubelet
mount --make-rshared /var/lib/kubelet
PATH=$PATH:/usr/sbin:/sbin:$kubernetes
export KUBECONFIG=$dir/kubeconfig

# background NAME COMMAND…: until the end of the world, its output in a file.
background() {
	local name=$1
	shift
	"$@" >"$dir/$name.log" 2>&1 </dev/null &
}

# The network of pods, and the name `db` in it.
ip link add cni0 type bridge
ip addr add "$node/24" dev cni0
ip link set cni0 up
cat >/etc/cni/net.d/10-pods.conflist <<END
{"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true,
 "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/24", "rangeStart": "10.88.0.10"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
END
background dns dnsmasq --keep-in-foreground --conf-file=/dev/null --listen-address="$node" --bind-interfaces --no-resolv --no-hosts \
	--local=/cluster.local/ --address=/db/"$node"
background db socat "TCP-LISTEN:3306,bind=$node,fork,reuseaddr" TCP:127.0.0.1:3306

openssl genrsa -out "$dir/sa.key" 2048 2>/dev/null
openssl rsa -in "$dir/sa.key" -pubout -out "$dir/sa.pub" 2>/dev/null
echo 'admin,admin,admin,system:masters' >"$dir/tokens.csv"
cat >"$KUBECONFIG" <<END
{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
 clusters: [{name: c, cluster: {server: "https://$node:6443", insecure-skip-tls-verify: true}}], users: [{name: u, user: {token: admin}}]}
END
cat >"$dir/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
# Containers have their limits; pods and the node have none.
cgroupsPerQOS: false
enforceNodeAllocatable: []
localStorageCapacityIsolation: false
evictionHard: {memory.available: 1Mi, nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%}
failSwapOn: false
clusterDNS: [$node]
clusterDomain: cluster.local
resolvConf: ""
END
mkdir -p /etc/containerd
cat >/etc/containerd/config.toml <<END
version = 2
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pause:latest"
# A machine may forbid what Kubernetes asks for its pods here.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
END

background etcd etcd --data-dir "$dir/etcd" --unsafe-no-fsync
background containerd containerd
background kube-apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --bind-address="$node" --advertise-address="$node" \
	--service-cluster-ip-range=10.96.0.0/16 --cert-dir="$dir/certs" --token-auth-file="$dir/tokens.csv" --authorization-mode=AlwaysAllow \
	--service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$dir/sa.pub" --service-account-signing-key-file="$dir/sa.key"
ready() { kubectl get --raw /readyz >/dev/null 2>&1; }
until_ok 200 "the API server is ready" ready
background kube-controller-manager kube-controller-manager --kubeconfig="$KUBECONFIG" --leader-elect=false \
	--service-account-private-key-file="$dir/sa.key" --secure-port=0
background kube-scheduler kube-scheduler --kubeconfig="$KUBECONFIG" --leader-elect=false --secure-port=0
until_ok 60 "containerd answers" ctr version

# pause is the first process of each pod.
mkdir "$dir/pause"
cp "$kubernetes/pause" "$dir/pause/"
printf 'FROM scratch\nCOPY pause /pause\nUSER 65532:65532\nENTRYPOINT ["/pause"]\n' >"$dir/pause/Containerfile"
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
import() { # CONTEXT NAME
	buildah build -q -f "$1/Containerfile" -t "$2" "$1" >/dev/null
	buildah push -q "$2" "docker-archive:$dir/image.tar:$2"
	ctr -n k8s.io images import "$dir/image.tar" >/dev/null
	rm "$dir/image.tar"
}
import "$dir/pause" localhost/pause:latest
import "$repo/dist-image/context" docker.io/library/tablehaul:latest

background kubelet kubelet --config="$dir/kubelet.yaml" --kubeconfig="$KUBECONFIG" --hostname-override=node --node-ip="$node"
node_ready() { [[ $(kubectl get node node -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null) == True ]]; }
until_ok 200 "the node is ready" node_ready
account() { kubectl get serviceaccount default >/dev/null 2>&1; }
until_ok 60 "there is a service account" account

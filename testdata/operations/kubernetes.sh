# shellcheck shell=bash
# kubernetes.sh: the page's manifests on a cluster of one node.

failed_here() {
	local log
	for log in /srv/kubernetes/*.log; do echo "--- $log"; tail -n 8 "$log"; done >&2
	kubectl get pods,jobs,events -A -o wide 2>/dev/null | tail -n 40 >&2
}
trap '[[ $? == 0 ]] || failed_here' EXIT
source "$here/kubernetes/cluster.sh"
echo "Kubernetes $(kubectl version -o json 2>/dev/null | jq -r '.serverVersion | "\(.major).\(.minor)"'), $(kubectl get node node -o 'jsonpath={.status.nodeInfo.containerRuntimeVersion}')"

apply() { kubectl apply --validate=strict -f - >/dev/null; } # a manifest with an unknown field is refused

# What a cluster's storage class would give.
mkdir -m 777 /lake
apply <<'END'
apiVersion: v1
kind: PersistentVolume
metadata: {name: lake}
spec:
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  local: {path: /lake}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node]}]}]}}
END
block secret.yaml | apply
block lake.yaml | apply

# The Job.
block snapshot.yaml | apply
kubectl wait --for=condition=complete --timeout=120s job/tablehaul-snapshot >/dev/null
want "the end of the Job's log" "$(kubectl logs job/tablehaul-snapshot | jq -r 'select(.msg == "end") | "\(.status) \(.exit)"')" "done 0"
equal /lake/copy/shop orders || die "the Job's lake is not the source"
want "owner of the files" "$(stat -c %u /lake/copy/shop/orders)" 65532

# One that cannot be: failed at once, without a second pod.
block snapshot.yaml | sed 's/name: tablehaul-snapshot/name: wrong-usage/; s/- --log=-/- --no-such-flag/' | apply
kubectl wait --for=condition=failed --timeout=60s job/wrong-usage >/dev/null
want "why it failed" "$(kubectl get job wrong-usage -o 'jsonpath={.status.failed} {.status.conditions[?(@.type=="Failed")].reason}')" "1 PodFailurePolicy"
# One that may pass: begun again.
block snapshot.yaml | sed 's/name: tablehaul-snapshot/name: wrong-password/; s#/secret/password#/etc/passwd#' | apply
again() { [[ $(kubectl get job wrong-password -o 'jsonpath={.status.failed}') -ge 2 ]]; }
until_ok 90 "a failure is tried again" again
kubectl delete job wrong-password wrong-usage >/dev/null

# The Deployment.
block tail.yaml | apply
kubectl rollout status --timeout=180s deployment/tablehaul-tail >/dev/null
pod() { kubectl get pod -l app=tablehaul-tail --field-selector=status.phase=Running -o 'jsonpath={.items[*].metadata.name}'; }
address=$(kubectl get pod "$(pod)" -o 'jsonpath={.status.podIP}')
curl -s "http://$address:9100/metrics" | grep -q '^tablehaul_following 1' || die "no metrics at $address:9100"
sql 'UPDATE shop.orders SET total = 5 WHERE id = 5'
changed() { [[ $(lake /lake/shop/shop/orders 'SELECT total FROM T WHERE id = 5') == 5.00 ]]; }
until_ok 60 "a change arrives" changed

# Its pod is taken away: it ends by itself, and the next one goes on.
first=$(pod)
kubectl get pod "$first" --watch -o json >/srv/kubernetes/watch.json 2>/dev/null &
watch=$!
kubectl delete pod "$first" --wait=true >/dev/null
kill "$watch" || true
want "exit code of the pod that was taken away" \
	"$(jq -s 'map(.status.containerStatuses[]?.state.terminated.exitCode | select(. != null)) | last' /srv/kubernetes/watch.json)" 0
sql 'UPDATE shop.orders SET total = 6 WHERE id = 5'
kubectl rollout status --timeout=180s deployment/tablehaul-tail >/dev/null
changed() { [[ $(lake /lake/shop/shop/orders 'SELECT total FROM T WHERE id = 5') == 6.00 ]]; }
until_ok 60 "a change arrives by the next pod" changed
[[ $(pod) != "$first" ]] || die "there is no other pod"

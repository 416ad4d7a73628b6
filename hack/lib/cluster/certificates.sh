# The certificates of a cluster, and the files with which its parts and its administrator reach the API server.
# shellcheck shell=bash

# make_authority DIRECTORY: makes the authority that vouches for all of them, and the key of service accounts.
make_authority() {
    mkdir -p "$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=cluster \
        -keyout "$1/ca.key" -out "$1/ca.crt" 2>/dev/null
    openssl ecparam -genkey -name prime256v1 -noout -out "$1/service-accounts.key" 2>/dev/null
}

# make_certificate DIRECTORY NAME SUBJECT [ALTERNATIVES]: makes NAME.key and NAME.crt.
make_certificate() {
    local file=$1/$2
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$3" -keyout "$file.key" -out "$file.csr" \
        2>/dev/null
    openssl x509 -req -in "$file.csr" -CA "$1/ca.crt" -CAkey "$1/ca.key" -set_serial "0x$(openssl rand -hex 8)" \
        -days 30 -extfile <(printf '%s\n' "${4:+subjectAltName=$4}") -out "$file.crt" 2>/dev/null
}

# kubeconfig DIRECTORY NAME: prints the configuration of a client with the certificate NAME.
kubeconfig() {
    cat <<YAML
apiVersion: v1
kind: Config
clusters:
  - name: cluster
    cluster: {server: "$API_SERVER", certificate-authority-data: $(base64 -w 0 "$1/ca.crt")}
users:
  - name: $2
    user:
      client-certificate-data: $(base64 -w 0 "$1/$2.crt")
      client-key-data: $(base64 -w 0 "$1/$2.key")
contexts:
  - name: cluster
    context: {cluster: cluster, user: $2}
current-context: cluster
YAML
}

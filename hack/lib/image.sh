# Shared by the commands in hack/ that make images, without Docker.
# shellcheck shell=bash

# archive DIRECTORY FILE: the files of DIRECTORY as a tar archive without owner, time and place.
archive() {
    tar --create --file "$2" --format ustar --sort name --mtime "@$(source_date)" --owner 0 --group 0 --numeric-owner \
        --directory "$1" .
}

# digest FILE: its digest as OCI writes it.
digest() {
    printf 'sha256:%s' "$(sha256sum "$1" | cut -d ' ' -f 1)"
}

# created: the moment of the sources, as images have it.
created() {
    date --utc --date "@$(source_date)" +%Y-%m-%dT%H:%M:%SZ
}

# keep FILE BLOBS: moves a file into the directory of blobs and prints its descriptor, without the closing brace.
keep() {
    local name size
    name=$(digest "$1") size=$(stat --format %s "$1")
    mv "$1" "$2/${name#sha256:}"
    printf '"digest":"%s","size":%s' "$name" "$size"
}

# make_image WORK NAME CONFIG LABELS MADE_BY FILE: packs the files in WORK/layer as the image NAME into FILE, an OCI
# archive. It prints the name and the digest of the manifest. NAME has a tag; CONFIG and LABELS are JSON objects. The
# same files give the same bytes.
make_image() {
    local work=$1 name=$2 config=$3 labels=$4 made_by=$5 file=$6
    local blobs=$work/image/blobs/sha256 layer layer_id manifest manifest_digest
    mkdir -p "$blobs"
    archive "$work/layer" "$work/layer.tar"
    layer_id=$(digest "$work/layer.tar")
    # Not compressed: the same bytes on every machine, whatever its gzip.
    layer=$(keep "$work/layer.tar" "$blobs")
    cat >"$work/config.json" <<JSON
{"created":"$(created)","architecture":"$(architecture)","os":"linux",
"config":$config,
"rootfs":{"type":"layers","diff_ids":["$layer_id"]},
"history":[{"created":"$(created)","created_by":"$made_by"}]}
JSON
    config=$(keep "$work/config.json" "$blobs")
    cat >"$work/manifest.json" <<JSON
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
"config":{"mediaType":"application/vnd.oci.image.config.v1+json",$config},
"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar",$layer}],
"annotations":$labels}
JSON
    manifest_digest=$(digest "$work/manifest.json")
    manifest=$(keep "$work/manifest.json" "$blobs")
    printf '{"imageLayoutVersion":"1.0.0"}\n' >"$work/image/oci-layout"
    cat >"$work/image/index.json" <<JSON
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",
"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",$manifest,
"platform":{"architecture":"$(architecture)","os":"linux"},
"annotations":{"io.containerd.image.name":"$name","org.opencontainers.image.ref.name":"${name##*:}"}}]}
JSON
    archive "$work/image" "$work/image.tar"
    mkdir -p "$(dirname "$file")"
    mv "$work/image.tar" "$file"
    say "$name, manifest $manifest_digest"
    say "$file"
}

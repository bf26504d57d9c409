/**
 * Limits of a GGUF header. A number from the file is checked against them and the file's size before it is used to
 * allocate memory.
 */
export const GGUF_LIMITS = {
  /** Metadata and tensor list. The largest published ones (vocabularies of 260,000 with merges) need about 20 MiB. */
  headerBytes: 128 * 2 ** 20,
  /** Published files have fewer than 100 keys. */
  metadataKeys: 4096,
  /** Some converters store a whole tokenizer.json, up to about 35 MiB, in one string. */
  stringBytes: 64 * 2 ** 20,
  /** A key or a tensor's name: 64 bytes in ggml, more in some forks. */
  nameBytes: 1024,
  /** Total elements of all arrays. In memory an element needs up to 50 times its size in the file. */
  arrayElements: 2 ** 22,
  /** Nesting of arrays; published files have none. */
  arrayDepth: 3,
  /** A model of 1,000 layers has about 10,000. */
  tensors: 65_536,
  /** ggml's GGML_MAX_DIMS. */
  tensorDims: 4,
  /** Published files have 32, some 4096. */
  alignmentBytes: 65_536
} as const

/**
 * What a GGUF header may cost us. Nothing is allocated by a number from the file before it is held against one of these
 * and the file's size.
 */
export const GGUF_LIMITS = {
  /** Metadata and tensor list. The largest real ones (vocabularies of 260,000 with merges) need about 20 MiB. */
  headerBytes: 128 * 2 ** 20,
  /** Real files have less than 100 keys. */
  metadataKeys: 4096,
  /** Some converters store a whole tokenizer.json, up to about 35 MiB, in one string. */
  stringBytes: 64 * 2 ** 20,
  /** A key or a tensor's name: 64 bytes in ggml, more in some forks. */
  nameBytes: 1024,
  /** Elements of all arrays together: an element costs us up to 50 times its bytes in the file. */
  arrayElements: 2 ** 22,
  /** Arrays in arrays: real files have none. */
  arrayDepth: 3,
  /** A model of 1,000 layers has about 10,000. */
  tensors: 65_536,
  /** ggml's GGML_MAX_DIMS. */
  tensorDims: 4,
  /** Real files have 32, some 4096. */
  alignmentBytes: 65_536
} as const

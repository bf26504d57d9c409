/** Bounds that are checked before anything is allocated for a request. Units are in the names. */
export const LIMITS = {
  /** Body of one HTTP request: enough for four times 32k token ids as JSON. */
  bodyBytes: 1_048_576,
  /**
   * Nesting of arrays and objects in any JSON that a client sends: recursive code has enough stack for it.
   */
  jsonDepth: 64,
  /**
   * Arrays, objects and keys of objects in one JSON text: the parts that are parsed, checked and passed to another
   * thread one by one.
   */
  jsonMembers: 16_384,
  jsonValues: 262_144,
  promptsPerRequest: 64,
  /** Ids of one prompt, and of one request to /detokenize. */
  tokenIdsPerList: 131_072,
  /** As at OpenAI. */
  messages: 2048,
  contentParts: 1024,
  toolCallsPerMessage: 256,
  /** As at OpenAI. */
  tools: 128,
  /** `n` and `best_of` of the OpenAI API. */
  choicesPerPrompt: 128,
  /** Prompts × best_of of one request. */
  choicesPerRequest: 128,
  stopStrings: 64,
  stopStringChars: 256,
  logitBiasEntries: 300,
  stopTokenIds: 128,
  allowedTokenIds: 4096,
  badWords: 128,
  badWordChars: 256,
  /** `logprob_token_ids`, as in vLLM. */
  scoredTokenIds: 128,
  /**
   * Names in `x-ignored-params`, and characters of each: well within the 16 KiB of headers that clients accept.
   */
  ignoredParams: 32,
  ignoredParamChars: 64,
  /** A request name that the client chose. */
  requestLabelChars: 128,
  /** `logprobs`: alternatives per token; OpenAI's servers cap it at 20. */
  topLogprobs: 20,
  /**
   * Choices × tokens × (1 + alternatives) of one request. An entry takes 5 bytes (text alone) to 84 bytes (alternatives
   * in chat) of a response, so that responses stay below about 64 MB.
   */
  answerEntries: 786_432,
  /**
   * Tokens and alternatives in the logs of running requests, per row of a worker: about 40 MB. A single request may
   * have more, and has the worker to itself then.
   */
  logEntriesPerRow: 196_608,
  /** Tokens in one `prompt` event, so that no log entry is large. */
  promptEventTokens: 128,
  /** Length of a salt that separates cached prefixes. */
  cacheSaltChars: 1024
} as const

/** Every bound that a request meets before anything is allocated for it. Units are in the names. */
export const LIMITS = {
  /** Body of one HTTP request: 32k token ids as JSON fit four times over. */
  bodyBytes: 1_048_576,
  promptsPerRequest: 64,
  /** `n` and `best_of` of the OpenAI API. */
  choicesPerPrompt: 128,
  /** Prompts × best_of of one request. */
  choicesPerRequest: 128,
  stopStrings: 4,
  stopStringChars: 256,
  logitBiasEntries: 300,
  stopTokenIds: 128,
  allowedTokenIds: 4096,
  badWords: 128,
  badWordChars: 256,
  /** `logprob_token_ids`, as in vLLM. */
  scoredTokenIds: 128,
  /** A client's own name for its request. */
  requestLabelChars: 128,
  /** `logprobs`: alternatives per token; OpenAI's servers cap it at 20. */
  topLogprobs: 20,
  /** Tokens in one `prompt` event, so that no log entry is large. */
  promptEventTokens: 128,
  /** Length of a salt that separates cached prefixes. */
  cacheSaltChars: 1024
} as const

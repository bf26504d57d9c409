/** Every bound that a request meets before anything is allocated for it. Units are in the names. */
export const LIMITS = {
  /** Body of one HTTP request: 32k token ids as JSON fit four times over. */
  bodyBytes: 1_048_576,
  promptsPerRequest: 64,
  /** `n` of the OpenAI API. */
  choicesPerPrompt: 128,
  /** Prompts × n of one request. */
  choicesPerRequest: 128,
  stopStrings: 4,
  stopStringChars: 256,
  logitBiasEntries: 300,
  /** `logprobs`: alternatives per token; OpenAI's servers cap it at 20. */
  topLogprobs: 20,
  /** Tokens in one `prompt` event, so that no log entry is large. */
  promptEventTokens: 512,
  /** Length of a salt that separates cached prefixes. */
  cacheSaltChars: 1024
} as const

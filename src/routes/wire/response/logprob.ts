/** −∞ in a response: "the JSON-serializable float that OpenAI uses" (vLLM). */
const MINUS_INFINITY = -9999.0

export function finite(logprob: number): number {
  return Math.max(logprob, MINUS_INFINITY)
}

/** How a response names a token: by its text, or with vLLM's `return_tokens_as_token_ids` by its id. */
export type TokenName = (token: { readonly tokenId: number; readonly text: string }) => string

export const tokenNames = (asIds: boolean): TokenName => (asIds ? ({ tokenId }) => `token_id:${tokenId}` : ({ text }) => text)

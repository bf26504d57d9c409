/**
 * How the next token is drawn from the logits, in the order of docs/sampling.md. Pure data; the maths lives in
 * `inference/sampling`.
 */
export interface SamplingParams {
  /** 0 is greedy: the highest logit wins, the lowest id among equals. */
  readonly temperature: number
  /** Nucleus, in (0, 1]; 1 is off. */
  readonly topP: number
  /** Keep the k likeliest; 0 is off. */
  readonly topK: number
  /** Keep tokens at least this fraction as likely as the likeliest, in [0, 1]; 0 is off. */
  readonly minP: number
  /**
   * Locally typical sampling, in (0, 1]: keep the tokens whose surprise is nearest to the expected one, until they
   * weigh this much; 1 is off.
   */
  readonly typicalP: number
  /**
   * A logit above 0 is divided by it, one below multiplied, once for each token of the prompt or generated before; in
   * (0, 2], 1 is off.
   */
  readonly repetitionPenalty: number
  /** Subtracted once from the logit of each token generated before. */
  readonly presencePenalty: number
  /** Subtracted from a logit for each time its token was generated before. */
  readonly frequencyPenalty: number
  /** Added to logits: [token id, bias in -100..100]; -100 and 100 act as ban and force. */
  readonly logitBias: readonly (readonly [tokenId: number, bias: number])[]
  /** Only these may be drawn; null: all. Not empty. */
  readonly allowedTokenIds: readonly number[] | null
  /** Token sequences that are not completed: the last token of one is banned behind the others. None is empty. */
  readonly badWords: readonly (readonly number[])[]
  /** Tokens before what ends a choice may be drawn. */
  readonly minNewTokens: number
  /**
   * Key of the noise, together with choice and position. Always set: where the client gave none, the API process draws
   * it. An integer from -2^63 to 2^64.
   */
  readonly seed: number
}

/** Greedy, with every filter, penalty and bias off: what a caller starts from that wants only some of them. */
export const PLAIN_SAMPLING: SamplingParams = {
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  typicalP: 1,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: [],
  allowedTokenIds: null,
  badWords: [],
  minNewTokens: 0,
  seed: 0
}

/** Below it a temperature counts as 0, as in vLLM (`_SAMPLING_EPS`, vllm/v1/sample/sampler.py). */
const GREEDY_BELOW = 1e-5

/** Nothing is left to chance: choices of the same prompt are equal. */
export function isGreedy({ temperature }: Pick<SamplingParams, 'temperature'>): boolean {
  return temperature < GREEDY_BELOW
}

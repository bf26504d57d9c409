/**
 * How the next token is drawn from the logits, in the order of docs/sampling.md. Plain data; `inference/sampling`
 * implements it.
 */
export interface SamplingParams {
  /** 0 is greedy: the highest logit wins, the lowest id among equals. */
  readonly temperature: number
  /** Nucleus, in (0, 1]; 1 is off. */
  readonly topP: number
  /** Keep the k most probable tokens; 0 is off. */
  readonly topK: number
  /** Keep tokens at least this fraction as probable as the most probable one, in [0, 1]; 0 is off. */
  readonly minP: number
  /**
   * Locally typical sampling, in (0, 1]: keep the tokens whose surprisal is nearest to the entropy, until their
   * probabilities sum to this; 1 is off.
   */
  readonly typicalP: number
  /**
   * Logits above 0 are divided by it, those below multiplied, once for each distinct token of the prompt and of the
   * generated text; in (0, 2], 1 is off.
   */
  readonly repetitionPenalty: number
  /** Subtracted once from the logit of each token generated before. */
  readonly presencePenalty: number
  /** Subtracted from a logit for each time its token was generated before. */
  readonly frequencyPenalty: number
  /** Added to logits: [token id, bias in -100..100]; -100 and 100 act as ban and force. */
  readonly logitBias: readonly (readonly [tokenId: number, bias: number])[]
  /** The only tokens that may be drawn; null: all. Not empty. */
  readonly allowedTokenIds: readonly number[] | null
  /** Token sequences that are never completed: the last token of each is banned after the others. None is empty. */
  readonly badWords: readonly (readonly number[])[]
  /** Tokens that are generated before a choice may end. */
  readonly minNewTokens: number
  /**
   * Key of the noise, together with choice and position. Always set: if the client sent none, the API process draws
   * one. An integer from -2^63 to 2^64.
   */
  readonly seed: number
}

/** Defaults: greedy, with every filter, penalty and bias off. Callers override single fields. */
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

/** A temperature below it counts as 0, as in vLLM (`_SAMPLING_EPS`, vllm/v1/sample/sampler.py). */
const GREEDY_BELOW = 1e-5

/** Without randomness: all choices of a prompt are equal. */
export function isGreedy({ temperature }: Pick<SamplingParams, 'temperature'>): boolean {
  return temperature < GREEDY_BELOW
}

import { invariant } from '../contract/invariant.ts'
import type { SamplingParams } from '../contract/sampling.ts'
import { Candidates } from './candidates.ts'
import { drawFromLogits, drawFromWeights } from './draw.ts'
import { skippable, sumExponentials } from './exponential.ts'
import { likeliest } from './likeliest.ts'
import { LogitEdits } from './logit-edits.ts'
import { uniform } from './noise.ts'
import { rankFloor } from './rank-floor.ts'
import type { SamplingScratch } from './sampling-scratch.ts'

/** Below it a temperature counts as 0, as in vLLM (`_SAMPLING_EPS`, vllm/v1/sample/sampler.py). */
const GREEDY_BELOW = 1e-5

/** e^-7: tokens less than a thousandth as likely as the likeliest are rarely part of a nucleus. */
const NEAR_TOP = 7

/**
 * Draws the tokens of one choice. The draw is a pure function of logits, parameters, the tokens accepted before, and (seed, choice, position).
 *
 * Order, as vLLM (vllm/v1/sample/sampler.py and ops/topk_topp_sampler.py): penalties, bias → temperature → min_p → top_k → top_p, each over what
 * the one before has left and renormalised → one draw by inverse CDF. V is the vocabulary's size.
 */
export class Sampler {
  readonly #params: SamplingParams
  readonly #choice: number
  readonly #scratch: SamplingScratch
  readonly #edits: LogitEdits
  readonly #vocabularySize: number

  /** @param scratch made for the same vocabulary */
  constructor(params: SamplingParams, choice: number, vocabularySize: number, scratch: SamplingScratch) {
    invariant(scratch.edited.length === vocabularySize, 'the scratch was made for another vocabulary')
    this.#params = params
    this.#choice = choice
    this.#scratch = scratch
    this.#edits = new LogitEdits(params, vocabularySize)
    this.#vocabularySize = vocabularySize
  }

  /**
   * @param logits    float32 [V], raw; left as they are. NaN counts as -inf
   * @param position  of the new token within its choice, from 0: it keys the noise
   * @throws {ServiceError} `engine_failure` when no logit is finite, or one is +inf
   */
  pick(logits: Float32Array, position: number): number {
    invariant(logits.length === this.#vocabularySize, `${logits.length} logits for a vocabulary of ${this.#vocabularySize}`)
    const edited = this.#edits.apply(logits, this.#scratch.edited)
    const best = likeliest(edited)
    if (this.#params.temperature < GREEDY_BELOW) return best
    return this.#draw(edited, edited[best] ?? 0, uniform(this.#params.seed, this.#choice, position))
  }

  /** Records a generated token, for the penalties of those after it. */
  accept(tokenId: number): void {
    this.#edits.count(tokenId)
  }

  #draw(logits: Float32Array, max: number, noise: number): number {
    const { temperature, minP, topK, topP } = this.#params
    let cut = max - temperature * skippable(logits.length)
    if (minP > 0) cut = Math.max(cut, max + temperature * Math.log(minP))
    const isCutByRank = topK > 0 && topK < logits.length
    if (!isCutByRank && topP === 1) return drawFromLogits(logits, max, 1 / temperature, cut, this.#scratch.blockSums, noise)
    const candidates = isCutByRank ? this.#likeliestByRank(logits, max, cut) : this.#nucleus(logits, max, cut)
    return candidates.idAt(drawFromWeights(this.#scratch.weights, candidates.count, noise))
  }

  /** top_k, then top_p of what that has left. */
  #likeliestByRank(logits: Float32Array, max: number, cut: number): Candidates {
    const { temperature, topK, topP } = this.#params
    const floor = rankFloor(logits, topK, this.#scratch.groupMaxima)
    const candidates = new Candidates(logits, Math.max(cut, floor), this.#scratch)
    if (candidates.count > topK) {
      candidates.weighEqually()
      candidates.keepLikeliest(topK)
    }
    candidates.weighByLogit(max, 1 / temperature)
    if (topP < 1) candidates.keepLikeliest(topP * candidates.totalWeight)
    return candidates
  }

  /**
   * top_p alone. Looks near the top first, where the nucleus nearly always is. Else below: V tokens that weigh less than (1 - topP) / V of the whole
   * each, weigh less than 1 - topP of it together, so the others reach topP without them.
   */
  #nucleus(logits: Float32Array, max: number, cut: number): Candidates {
    const { temperature, topP } = this.#params
    const total = sumExponentials(logits, max, 1 / temperature, cut, 0, logits.length)
    const floor = max + temperature * Math.log(((1 - topP) * total) / logits.length)
    const above = (lowest: number): Candidates => {
      const candidates = new Candidates(logits, Math.max(cut, floor, lowest), this.#scratch)
      candidates.weighByLogit(max, 1 / temperature)
      return candidates
    }
    let candidates = above(max - temperature * NEAR_TOP)
    if (candidates.totalWeight < topP * total) candidates = above(floor)
    candidates.keepLikeliest(topP * total)
    return candidates
  }
}

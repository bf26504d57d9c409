import { invariant } from '../contract/invariant.ts'
import { isGreedy, type SamplingParams } from '../contract/sampling.ts'
import { argmax } from './argmax.ts'
import { Candidates } from './candidates.ts'
import { drawFromLogits, drawFromWeights } from './draw.ts'
import { negligible, sumExponentials } from './exponential.ts'
import { type EditedChoice, LogitEdits } from './logit-edits.ts'
import { uniforms } from './noise.ts'
import type { SamplingScratch } from './sampling-scratch.ts'
import { scanSoftmax } from './softmax-scan.ts'

/** e^-7: tokens less than a thousandth as likely as the most likely are rarely part of a nucleus. */
const NEAR_TOP = 7
/** Relative error of sums of weights. */
const ROUNDING = 1e-12

/** The choice that a sampler draws for. */
export interface SampledChoice extends EditedChoice {
  /** Index within the request; part of the key of the noise. */
  readonly choice: number
}

/**
 * Samples the tokens of one choice. A draw is a pure function of logits, parameters, prompt, the tokens accepted
 * before, and (seed, choice, position).
 *
 * Order, as in vLLM (vllm/v1/sample/sampler.py and ops/topk_topp_sampler.py): logit edits → temperature → min_p →
 * top_k → typical_p (llama.cpp's) → top_p, each over the renormalised remainder of the previous one → one draw.
 * See docs/sampling.md. V is the vocabulary size.
 */
export class Sampler {
  readonly #params: SamplingParams
  readonly #choice: number
  readonly #scratch: SamplingScratch
  readonly #edits: LogitEdits
  readonly #vocabularySize: number

  /** @param scratch  for the same vocabulary size */
  constructor(params: SamplingParams, choice: SampledChoice, vocabularySize: number, scratch: SamplingScratch) {
    invariant(scratch.edited.length === vocabularySize, 'the scratch was made for another vocabulary')
    this.#params = params
    this.#choice = choice.choice
    this.#scratch = scratch
    this.#edits = new LogitEdits(params, choice, vocabularySize)
    this.#vocabularySize = vocabularySize
  }

  /**
   * @param logits    float32 [V], raw; not modified. NaN counts as -inf
   * @param position  of the new token within its choice, from 0; part of the key of the noise
   * @throws {ServiceError} `engine_failure` when no logit is finite, or one is +inf
   */
  pick(logits: Float32Array, position: number): number {
    invariant(logits.length === this.#vocabularySize, `${logits.length} logits for a vocabulary of ${this.#vocabularySize}`)
    const edited = this.#edits.apply(logits, position, this.#scratch.edited)
    const best = argmax(edited)
    if (isGreedy(this.#params)) return best
    return this.#draw(edited, edited[best] ?? 0, position)
  }

  /** Records a generated token, for the penalties and bans of later positions. */
  accept(tokenId: number): void {
    this.#edits.count(tokenId)
  }

  #draw(logits: Float32Array, max: number, position: number): number {
    const { temperature, minP, topK, typicalP, topP, seed } = this.#params
    const noise = (attempt: number) => uniforms(seed, this.#choice, position, attempt)
    const floor = minP > 0 ? max + temperature * Math.log(minP) : Number.NEGATIVE_INFINITY
    const isCutByRank = topK > 0 && topK < logits.length
    if (!isCutByRank && topP === 1 && typicalP === 1) {
      return drawFromLogits({ logits, max, temperature, cut: floor, blockSums: this.#scratch.blockSums, noise })
    }
    const cut = Math.max(floor, max - temperature * negligible(logits.length))
    const candidates = isCutByRank || typicalP < 1 ? this.#filtered(logits, max, cut) : this.#nucleus(logits, max, cut)
    return candidates.idAt(drawFromWeights(this.#scratch.weights, candidates.count, noise(0)[0]))
  }

  /** top_k, then typical_p, then top_p, each over the remainder of the previous one. */
  #filtered(logits: Float32Array, max: number, cut: number): Candidates {
    const { temperature, topK, typicalP, topP } = this.#params
    const isCutByRank = topK > 0 && topK < logits.length
    const candidates = isCutByRank ? Candidates.highest(logits, topK, cut, this.#scratch) : Candidates.above(logits, cut, this.#scratch)
    candidates.weighByLogit(max, 1 / temperature)
    if (typicalP < 1) candidates.keepMostTypical(typicalP, max, 1 / temperature)
    if (topP < 1) candidates.keepTop(topP * candidates.totalWeight)
    return candidates
  }

  /**
   * top_p alone. Collects only the tokens near the top, where the nucleus nearly always is, and bounds the total weight
   * of the others. If the nucleus for the lower bound of the total also suffices for the upper bound, it is the nucleus
   * for the exact total between them.
   */
  #nucleus(logits: Float32Array, max: number, cut: number): Candidates {
    const { temperature, topP } = this.#params
    const near = Math.max(cut, max - temperature * NEAR_TOP)
    const { least, most, count } = scanSoftmax({ logits, max, temperature, cut, near }, this.#scratch)
    const candidates = this.#weighed(new Candidates(this.#scratch, count), max)
    const nearWeight = candidates.totalWeight
    const enough = topP * (nearWeight + most) * (1 + ROUNDING)
    if (nearWeight >= enough) {
      candidates.keepTop(topP * (nearWeight + least) * (1 - ROUNDING))
      if (candidates.totalWeight >= enough) return candidates
    }
    return this.#exactNucleus(logits, max, cut)
  }

  /**
   * At most V tokens each have less than (1 - topP) / V of the total weight, together less than 1 - topP: the others
   * reach topP without them.
   */
  #exactNucleus(logits: Float32Array, max: number, cut: number): Candidates {
    const { temperature, topP } = this.#params
    const total = sumExponentials(logits, max, 1 / temperature, cut, 0, logits.length)
    const floor = max + temperature * Math.log(((1 - topP) * total) / logits.length)
    const candidates = this.#weighed(Candidates.above(logits, Math.max(cut, floor), this.#scratch), max)
    candidates.keepTop(topP * total)
    return candidates
  }

  #weighed(candidates: Candidates, max: number): Candidates {
    candidates.weighByLogit(max, 1 / this.#params.temperature)
    return candidates
  }
}

import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isTerminal } from '../../../../src/inference/contract/events.ts'
import {
  CLEAN_RECORD,
  type DeathRecord,
  type DeathVerdict,
  FRUITLESS_DEATHS_THAT_COUNT,
  judgeDeath,
  verdictOn
} from '../../../../src/queue/poison-rule.ts'
import { type RedisKeys, redisKeys } from '../../../../src/queue/redis/connection/keys.ts'
import { claim, handBack, parseAppendReply } from '../../../../src/queue/redis/requests/claim.ts'
import { RequestStore } from '../../../../src/queue/redis/requests/request-store.ts'
import { aRequest } from '../../a-request.ts'
import { aToken, theEnd } from '../../events.ts'
import { type RedisServer, startRedis } from '../redis-server.ts'
import { describeWithRedis } from '../with-redis.ts'

const WORKERS = ['w1', 'w2'] as const
type WorkerName = (typeof WORKERS)[number]
const CANCELLED = { code: 'cancelled', message: 'no more', param: null } as const

/** One request in memory: the specification of the scripts. */
class ModelRequest {
  state: 'unknown' | 'waiting' | 'running' | 'finished' | 'failed' | 'cancelled' = 'unknown'
  epoch = 0
  owner: WorkerName | null = null
  log: string[] = []

  get isLive(): boolean {
    return this.state === 'waiting' || this.state === 'running'
  }

  append(epoch: number, first: number, events: readonly string[], end: '' | 'finished'): unknown[] {
    if (this.state === 'unknown') return ['gone']
    if (epoch !== this.epoch) return [this.isLive ? 'fenced' : 'ended']
    const isRepeat = first + events.length - 1 <= this.log.length
    if (this.state !== 'running') return isRepeat ? ['ok', this.log.length] : ['ended']
    if (first > this.log.length + 1) return ['gap', this.log.length + 1]
    this.log.push(...events.slice(this.log.length + 1 - first))
    if (end !== '') this.state = end
    return ['ok', this.log.length]
  }
}

interface Real {
  readonly store: RequestStore
  readonly keys: RedisKeys
  readonly id: string
  /** Epoch of each worker's last claim. */
  readonly epochs: Map<WorkerName, number>
}

type Step = (model: ModelRequest, real: Real) => Promise<void>

const parameters = { leaseUntilMs: 0, waitingLimit: 100, waitingTokenLimit: 100, freeRows: 0, seenWaiting: 0, rows: 1, retentionMs: 60_000 }

const admit: Step = async (model, { store, id }) => {
  expect(await store.admit(aRequest({ id }), parameters)).toEqual({ ok: true })
  if (model.state === 'unknown') model.state = 'waiting'
}

const claimBy =
  (worker: WorkerName): Step =>
  async (model, { store, keys, id, epochs }) => {
    const claimed = await claim(store.redis, keys, id, worker)
    expect(claimed !== null).toBe(model.isLive)
    if (claimed === null) return
    Object.assign(model, { state: 'running', owner: worker, epoch: model.epoch + 1 })
    expect(claimed.epoch).toBe(model.epoch)
    epochs.set(worker, claimed.epoch)
  }

const handBackBy =
  (worker: WorkerName): Step =>
  async (model, { store, keys, id }) => {
    const isOwner = model.state === 'running' && model.owner === worker
    expect(await handBack(store.redis, keys, id, worker, false)).toBe(isOwner)
    if (isOwner) Object.assign(model, { state: 'waiting', owner: null, epoch: model.epoch + 1 })
  }

/** `shift` 0 continues at the end of the log, below 0 repeats entries, above 0 leaves a gap. */
const appendBy =
  (worker: WorkerName, shift: number, count: number, isEnd: boolean): Step =>
  async (model, { store, keys, id, epochs }) => {
    const epoch = epochs.get(worker) ?? 1
    const first = Math.max(1, model.log.length + 1 + shift)
    // A worker repeats the events that it wrote.
    const events = Array.from({ length: count }, (_, at) => model.log[first - 1 + at] ?? JSON.stringify(aToken(first + at)))
    if (isEnd) events.push(JSON.stringify(theEnd))
    const raw = await store.redis.streamAppend(keys.request(id), keys.log(id), epoch, 60_000, isEnd ? 'finished' : '', first, ...events)
    expect(parseAppendReply(raw)).toEqual(model.append(epoch, first, events, isEnd ? 'finished' : ''))
  }

const end: Step = async (model, { store, id }) => {
  expect(await store.end(id, CANCELLED)).toBe(model.isLive)
  if (!model.isLive) return
  model.log.push(JSON.stringify({ kind: 'failed', failure: CANCELLED }))
  Object.assign(model, { state: 'cancelled', epoch: model.epoch + 1 })
}

const renewLeases: Step = async (_, { store, id }) => store.renewLeases([id], Date.now() + 60_000)

const aWorker = fc.constantFrom(...WORKERS)
const aStep: fc.Arbitrary<Step> = fc.oneof(
  fc.constant(admit),
  aWorker.map(claimBy),
  aWorker.map(handBackBy),
  {
    weight: 4,
    arbitrary: fc
      .tuple(aWorker, fc.integer({ min: -3, max: 1 }), fc.integer({ min: 1, max: 3 }))
      .map(([w, s, n]) => appendBy(w, s, n, false))
  },
  aWorker.map(worker => appendBy(worker, 0, 1, true)),
  fc.constant(end),
  fc.constant(renewLeases)
)

describeWithRedis('a request in Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  it('behaves as its specification in memory, in any order of claims, appends, repeats, hand-backs and ends', async () => {
    const redis = server.connect()
    await fc.assert(
      fc.asyncProperty(fc.array(aStep, { maxLength: 40 }), async steps => {
        const keys = redisKeys(`test-${randomUUID()}`, 0)
        const real: Real = { store: new RequestStore(redis, keys), keys, id: 'r', epochs: new Map() }
        const model = new ModelRequest()
        for (const step of [admit, ...steps]) await step(model, real)
        const look = await real.store.look('r', 0, 1000)
        expect(look?.entries.map(({ event }) => JSON.stringify(event))).toEqual(model.log)
        expect(look?.status).toMatchObject({ state: model.state, epoch: model.epoch, last: model.log.length })
        expect(look?.entries.filter(({ event }) => isTerminal(event)).length ?? 0).toBe(model.isLive ? 0 : 1)
        expect(await redis.hexists(keys.waiting, 'r')).toBe(model.state === 'waiting' ? 1 : 0)
        const mortal = [keys.request('r'), ...(model.log.length > 0 ? [keys.log('r')] : [])]
        for (const key of mortal) expect(await redis.pttl(key)).toBeGreaterThan(0)
      }),
      { numRuns: 300 }
    )
  })

  it('is refused when the queue is full, unless enough rows are free to run it at once', async () => {
    const store = new RequestStore(server.connect(), redisKeys(`test-${randomUUID()}`, 0))
    const full = { ...parameters, waitingLimit: 1 }
    expect(await store.admit(aRequest(), full)).toEqual({ ok: true })
    expect(await store.admit(aRequest(), full)).toEqual({ ok: false, waiting: 1, tokens: 1 })
    expect(await store.admit(aRequest(), { ...full, freeRows: 1 })).toMatchObject({ ok: false })
    expect(await store.admit(aRequest(), { ...full, freeRows: 2, seenWaiting: 2 })).toMatchObject({ ok: false })
    expect(await store.admit(aRequest(), { ...full, freeRows: 2 })).toEqual({ ok: true })
    expect(await store.admit(aRequest({ prompts: [{ tokenIds: Array(100).fill(1) }] }), parameters)).toMatchObject({ ok: false })
  })

  it('has the record and the verdict of the poison rule, whether a supervisor or an expired lock reports a death', async () => {
    const redis = server.connect()
    const kind = fc.record({ wasInRun: fc.boolean(), hadAdvanced: fc.boolean(), isReported: fc.boolean() })
    /** One kind of death several times in a row: long enough, often enough, for the deaths that count only then. */
    const series = fc.record({ kind, deaths: fc.integer({ min: 1, max: FRUITLESS_DEATHS_THAT_COUNT + 2 }), newEntries: fc.nat(1) })
    await fc.assert(
      fc.asyncProperty(fc.array(series, { maxLength: 4 }), async all => {
        const [keys, id] = [redisKeys(`test-${randomUUID()}`, 0), 'r']
        await new RequestStore(redis, keys).admit(aRequest({ id }), parameters)
        let [record, verdict, logEntries]: [DeathRecord, DeathVerdict, number] = [CLEAN_RECORD, 'again', 0]
        for (const { kind, newEntries } of all.flatMap(({ kind, deaths, newEntries }) =>
          Array.from({ length: deaths }, (_, index) => ({ kind, newEntries: index === 0 ? newEntries : 0 }))
        )) {
          const claimed = await claim(redis, keys, id, 'w1')
          expect(claimed?.deaths).toBe(record.counted)
          expect(verdictOn(record.counted)).toBe(verdict)
          // A poisoned request is failed at its claim.
          if (verdict === 'poisoned') return
          const epoch = claimed?.epoch ?? 0
          if (newEntries > 0) {
            await redis.streamAppend(keys.request(id), keys.log(id), epoch, 60_000, '', ++logEntries, JSON.stringify(aToken(logEntries)))
          }
          if (kind.wasInRun) await redis.streamMark(1, keys.request(id), 'inRun', epoch, epoch)
          if (kind.hadAdvanced) await redis.streamMark(1, keys.request(id), 'advanced', epoch, epoch)
          if (kind.isReported) await handBack(redis, keys, id, 'w1', true)
          ;({ record, verdict } = judgeDeath(record, { ...kind, wasAlone: verdict === 'alone', logEntries }))
        }
        await claim(redis, keys, id, 'w1')
        const fields = await redis.hmget(keys.request(id), 'deaths', 'fruitless', 'unstarted', 'diedAt')
        const { counted, fruitless, unstarted } = record
        expect(fields.map(Number)).toEqual([counted, fruitless, unstarted, Math.max(0, record.logEntries)])
      }),
      { numRuns: 200 }
    )
  })

  it('has an idempotency key that exactly one of many requests claims, and that only its holder releases', async () => {
    const store = new RequestStore(server.connect(), redisKeys(`test-${randomUUID()}`, 0))
    const values = Array.from({ length: 10 }, (_, index) => `digest id-${index} 0`)
    const answers = await Promise.all(values.map(value => store.claimIdempotency('owner', 'key', value, '')))
    const holder = values[answers.indexOf(null)] ?? ''
    expect(answers.filter(answer => answer !== null)).toEqual(Array(9).fill(holder))
    await store.releaseIdempotency('owner', 'key', 'another')
    expect(await store.claimIdempotency('owner', 'key', 'next', '')).toBe(holder)
    expect(await store.claimIdempotency('owner', 'key', 'next', 'no holder')).toBe(holder)
    expect(await store.claimIdempotency('owner', 'key', 'next', holder)).toBeNull()
    await store.releaseIdempotency('owner', 'key', 'next')
    expect(await store.claimIdempotency('owner', 'key', 'free', '')).toBeNull()
  })
})

import { afterAll, beforeAll } from 'vitest'
import { describeQueue } from '../conformance.ts'
import { RedisRig } from './redis-rig.ts'
import { type RedisServer, startRedis } from './redis-server.ts'
import { describeWithRedis } from './with-redis.ts'

describeWithRedis('the queue in Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server[Symbol.asyncDispose]())
  describeQueue(options => RedisRig.open(server, options))
})

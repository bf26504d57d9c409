import { describe, expect, it } from 'vitest'
import { parseRedisUrl } from '../../../../src/queue/redis/connection/redis-url.ts'

const plain = { kind: 'single', master: '', tls: false, username: null, password: null, database: 0 }

describe('the URL of Redis', () => {
  it('names one server, a group of sentinels and their master, or nodes of a cluster', () => {
    expect(parseRedisUrl('redis://localhost')).toEqual({ ...plain, nodes: [{ host: 'localhost', port: 6379 }] })
    expect(parseRedisUrl('redis://:p%40ss@10.0.0.1:7000/3')).toEqual({
      ...plain,
      nodes: [{ host: '10.0.0.1', port: 7000 }],
      password: 'p@ss',
      database: 3
    })
    expect(parseRedisUrl('rediss://me:secret@[::1]:6380')).toEqual({
      ...plain,
      tls: true,
      nodes: [{ host: '::1', port: 6380 }],
      username: 'me',
      password: 'secret'
    })
    expect(parseRedisUrl('redis+sentinel://a,b:26380/mymaster/2')).toEqual({
      ...plain,
      kind: 'sentinel',
      nodes: [
        { host: 'a', port: 26_379 },
        { host: 'b', port: 26_380 }
      ],
      master: 'mymaster',
      database: 2
    })
    expect(parseRedisUrl('rediss+cluster://a,b')).toMatchObject({ kind: 'cluster', tls: true, nodes: [{ host: 'a' }, { host: 'b' }] })
  })

  it.each([
    '',
    'localhost:6379',
    'http://localhost',
    'redis://',
    'redis://a,b',
    'redis://a:99999',
    'redis://a/one',
    'redis+sentinel://a',
    'redis+cluster://a/1',
    'redis://%zz@a'
  ])('is not valid as %j', text => {
    expect(parseRedisUrl(text)).toBeNull()
  })
})

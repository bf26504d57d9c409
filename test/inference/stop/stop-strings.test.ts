import fc from 'fast-check'
import { expect, it } from 'vitest'
import { InvariantError } from '../../../src/inference/contract/invariant.ts'
import { StopStrings } from '../../../src/inference/stop/stop-strings.ts'

const CASES = [
  { name: 'cuts at the stop string', stops: ['\n\n'], text: 'one\n\ntwo', kept: 'one', stoppedBy: '\n\n' },
  { name: 'releases a near miss', stops: ['END'], text: 'EN END', kept: 'EN ', stoppedBy: 'END' },
  { name: 'releases buffered text at the end', stops: ['###'], text: '##', kept: '##', stoppedBy: null },
  { name: 'prefers the one that completes first', stops: ['ab', 'xaby'], text: '..xaby', kept: '..x', stoppedBy: 'ab' },
  { name: 'prefers the longer of two that complete together', stops: ['b', 'ab'], text: '..ab', kept: '..', stoppedBy: 'ab' },
  { name: 'finds one that starts within a failed match', stops: ['aab'], text: 'aaaab', kept: 'aa', stoppedBy: 'aab' },
  { name: 'keeps surrogate pairs whole', stops: ['😀😃'], text: 'x😀😀😃', kept: 'x😀', stoppedBy: '😀😃' },
  { name: 'ignores half a surrogate pair', stops: ['\ude00', '\ud83d'], text: 'x😀y', kept: 'x😀y', stoppedBy: null },
  { name: 'ignores an empty stop string', stops: [''], text: 'x', kept: 'x', stoppedBy: null },
  { name: 'releases everything without stop strings', stops: [], text: 'a😀b', kept: 'a😀b', stoppedBy: null }
]

it.each(CASES)('$name, however the text is cut', ({ stops, text, kept, stoppedBy }) => {
  for (const pieces of everyCut(text)) {
    expect({ pieces, ...read(stops, pieces) }).toEqual({ pieces, kept, stoppedBy })
  }
})

const letters = fc.constantFrom('a', 'b', '😀')
const stopLists = fc.array(fc.string({ unit: letters, minLength: 1, maxLength: 5 }), { maxLength: 4 })
const pieceLists = fc.array(fc.string({ unit: letters, maxLength: 6 }), { maxLength: 8 })

it('agrees with a search of the whole text', () => {
  fc.assert(
    fc.property(stopLists, pieceLists, (stops, pieces) => {
      expect(read(stops, pieces)).toEqual(search(stops, pieces.join('')))
    }),
    { numRuns: 2000 }
  )
})

it('releases only whole characters, and buffers no more than the longest prefix of a stop string', () => {
  fc.assert(
    fc.property(stopLists, pieceLists, (stops, pieces) => {
      const filter = new StopStrings(stops)
      let [given, released] = ['', '']
      for (const piece of pieces.flatMap(text => text.split(''))) {
        given += piece
        const { text, stoppedBy } = filter.push(piece)
        if (stoppedBy !== null) return
        expect(text.isWellFormed()).toBe(true)
        released += text
        const held = given.slice(released.length)
        expect(released + held).toBe(given)
        expect(stops.some(stop => stop.startsWith(held)) || held === '' || held === '\ud83d').toBe(true)
      }
    })
  )
})

it('reads repetitive text in linear time', () => {
  const stops = ['b', 'ab', 'aab', 'aaab'].map(end => 'a'.repeat(255 - end.length) + end)
  const filter = new StopStrings(stops)
  const text = `${'a'.repeat(240)}c`.repeat(2000)
  expect(filter.push(text)).toEqual({ text, stoppedBy: null })
})

it('releases nothing after a stop, and accepts no more text', () => {
  const filter = new StopStrings(['b'])
  expect(filter.push('abc')).toEqual({ text: 'a', stoppedBy: 'b' })
  expect(filter.flush()).toBe('')
  expect(() => filter.push('d')).toThrow(InvariantError)
})

function read(stops: readonly string[], pieces: readonly string[]): { kept: string; stoppedBy: string | null } {
  const filter = new StopStrings(stops)
  let kept = ''
  for (const piece of pieces) {
    const released = filter.push(piece)
    kept += released.text
    if (released.stoppedBy !== null) return { kept, stoppedBy: released.stoppedBy }
  }
  return { kept: kept + filter.flush(), stoppedBy: null }
}

function search(stops: readonly string[], text: string): { kept: string; stoppedBy: string | null } {
  for (let end = 1; end <= text.length; end++) {
    const completed = stops.filter(stop => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length)[0]
    if (completed !== undefined) return { kept: text.slice(0, end - completed.length), stoppedBy: completed }
  }
  return { kept: text, stoppedBy: null }
}

/** All 2^(n-1) ways to cut a text of n UTF-16 units into pieces. */
function* everyCut(text: string): Generator<string[]> {
  const gaps = text.length - 1
  for (let mask = 0; mask < 2 ** gaps; mask++) {
    const pieces: string[] = []
    let start = 0
    for (let gap = 0; gap < gaps; gap++) {
      if (((mask >> gap) & 1) === 0) continue
      pieces.push(text.slice(start, gap + 1))
      start = gap + 1
    }
    pieces.push(text.slice(start))
    yield pieces
  }
}

it('includes the stop string in the text with isIncluded, however the text is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b', 'ab', '🌊'), { maxLength: 12 }), pieces => {
      const [kept, cut] = [true, false].map(isIncluded => {
        const stops = new StopStrings(['ba', 'bb'], { isIncluded })
        let text = ''
        for (const piece of pieces) {
          const released = stops.push(piece)
          text += released.text
          if (released.stoppedBy !== null) return { text, stoppedBy: released.stoppedBy }
        }
        return { text: text + stops.flush(), stoppedBy: null }
      })
      expect(kept?.stoppedBy).toBe(cut?.stoppedBy)
      expect(kept?.text).toBe((cut?.text ?? '') + (cut?.stoppedBy ?? ''))
    })
  )
})

it('ignores a stop string that completes too early, but not one that begins there and completes later', () => {
  const stops = new StopStrings(['aa', 'xyz'])
  expect(stops.push('aaxy', false)).toEqual({ text: 'aa', stoppedBy: null })
  expect(stops.push('z')).toEqual({ text: '', stoppedBy: 'xyz' })
})

it('finds a stop string that overlaps an ignored one', () => {
  const stops = new StopStrings(['aba'])
  expect(stops.push('aba', false)).toEqual({ text: 'ab', stoppedBy: null })
  expect(stops.push('ba')).toEqual({ text: '', stoppedBy: 'aba' })
})

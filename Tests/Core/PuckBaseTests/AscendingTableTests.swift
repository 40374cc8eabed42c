import PuckBase
import Testing

@Suite struct AscendingTableTests {
    @Test("the table says what a dictionary says, in ascending order, whatever is added and removed")
    func agreesWithADictionary() {
        var generator = SeededGenerator(seed: 1)
        for keys in 1...40 {
            var table = AscendingTable<Int, Int>()
            var dictionary: [Int: Int] = [:]
            for step in 0..<100 {
                let key = Int(generator.next() % UInt64(keys))
                let value = generator.next() % 3 == 0 ? nil : step
                table[key] = value
                dictionary[key] = value
                #expect(table.keys == dictionary.keys.sorted() && table.count == dictionary.count)
                #expect(table.values == table.keys.map { dictionary[$0]! })
                #expect((-1...keys).allSatisfy { table[$0] == dictionary[$0] })
                #expect((-1...keys).allSatisfy { table.position(of: $0) == table.keys.firstIndex(of: $0) })
            }
        }
    }
}

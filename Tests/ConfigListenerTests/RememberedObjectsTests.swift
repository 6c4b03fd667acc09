import NIOCore
import RESP
import Testing
import Traffic

@testable import ConfigListener

@Suite("Remembered objects")
struct RememberedObjectsTests {
    @Test("are those that were put there last, as long as there is room", arguments: UInt64(0)..<20)
    func model(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var objects = RememberedObjects(limit: 1 << 30)
        var model: [ObjectAddress: Int] = [:]
        for step in 0..<20_000 {
            let number = Int.random(in: 0..<4000, using: &random)
            let address = ObjectAddress(tenant: Int64(number % 3), type: "person", id: "\(number)")
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                objects.insert(.integer(Int64(step)), size: 10, for: address)
                model[address] = step
            case 5..<8:
                objects.remove(address)
                model[address] = nil
            default:
                let expected = model[address].map { Reply.integer(Int64($0)) }
                #expect(objects.reply(number) == expected, "seed \(seed)")
            }
            if step % 7919 == 7918 {
                objects.removeAll()
                model = [:]
            }
        }
        #expect(objects.count == model.count)
        let bytes = model.keys.reduce(0) { $0 + 10 + $1.words.count + RememberedObjects.overhead }
        #expect(objects.byteCount == bytes)
    }

    @Test("What is asked for stays while others come and go")
    func clock() {
        var objects = RememberedObjects(limit: 100 * (RememberedObjects.overhead + 20))
        for number in 0..<10 { objects.insert(.null, size: 0, for: .test(number)) }
        for number in 10..<5000 {
            objects.insert(.integer(Int64(number)), size: 0, for: .test(number))
            #expect(objects.byteCount <= objects.limit)
            for wanted in 0..<10 { #expect(objects.reply(wanted) == .null) }
        }
        #expect(objects.count > 90)
        #expect(objects.reply(100) == nil)
        #expect(objects.reply(4999) == .integer(4999))
    }

    @Test("One that would take a great part of all room is not kept, nor is what was there before")
    func large() {
        var objects = RememberedObjects(limit: 100_000)
        objects.insert(.integer(1), size: 100, for: .test(1))
        objects.insert(.integer(2), size: 100, for: .test(2))
        objects.insert(.integer(3), size: 90_000, for: .test(1))
        #expect(objects.reply(1) == nil)
        #expect(objects.reply(2) == .integer(2))
        #expect(objects.count == 1)
    }

    @Test(
        "An object may take a part of the room, the smaller the more there is, and 64 KiB unless there is hardly any",
        arguments: [(262_144, 4_096), (8_192, 128), (4_096, 64), (1_024, 64), (64, 8)])
    func largest(limitKiB: Int, largestKiB: Int) {
        var objects = RememberedObjects(limit: limitKiB << 10)
        let largest = largestKiB << 10
        let around = ObjectAddress.test(1).words.count + RememberedObjects.overhead
        objects.insert(.integer(1), size: largest - around, for: .test(1))
        objects.insert(.integer(2), size: largest - around + 1, for: .test(2))
        #expect(objects.reply(1) == .integer(1))
        #expect(objects.reply(2) == nil)
        #expect(objects.byteCount == largest)
    }

    @Test("An object is told by all of its words")
    func words() {
        var objects = RememberedObjects(limit: 100_000)
        objects.insert(.integer(1), size: 0, for: ObjectAddress(tenant: 1, type: "dn", id: "x7"))
        for other in [(1, "dnx", "7"), (2, "dn", "x7"), (1, "dn", "x"), (1, "dn", "x77"), (1, "", "dnx7")] {
            #expect(objects.reply(Int64(other.0), other.1, other.2) == nil)
        }
        #expect(objects.reply(1, "dn", "x7") == .integer(1))
        objects.insert(.integer(2), size: 0, for: ObjectAddress(tenant: 1, type: "", id: ""))
        #expect(objects.reply(1, "", "") == .integer(2))
    }

    @Test(
        "A key says which object has changed",
        arguments: [
            ("cfg:{101}:person:7", ObjectAddress(tenant: 101, type: "person", id: "7")),
            ("cfg:{-1}:person_skill:7,9", ObjectAddress(tenant: -1, type: "person_skill", id: "7,9")),
            ("cfg:{1}:person:a:b:{c}", ObjectAddress(tenant: 1, type: "person", id: "a:b:{c}")),
            ("cfg:{1}:person:", ObjectAddress(tenant: 1, type: "person", id: "")),
            ("cfg:{1}:person", nil), ("cfg:{x}:person:7", nil), ("cfg:{1}person:7", nil), ("cfg:{1}", nil),
            ("cfg:{1:person:7", nil), ("rs:{1}:projection", nil), ("cfg:", nil), ("", nil),
            ("cfg:{99999999999999999999}:person:7", nil),
        ] as [(String, ObjectAddress?)])
    func keys(key: String, address: ObjectAddress?) {
        #expect(ObjectAddress(key: ByteBuffer(string: key)) == address)
    }
}

extension ObjectAddress {
    fileprivate static func test(_ number: Int) -> ObjectAddress {
        ObjectAddress(tenant: Int64(number % 3), type: "person", id: "\(number)")
    }
}

extension RememberedObjects {
    fileprivate mutating func reply(_ number: Int) -> Reply? { reply(Int64(number % 3), "person", "\(number)") }

    fileprivate mutating func reply(_ tenant: Int64, _ type: String, _ id: String) -> Reply? {
        let request = Request(type, id)
        return request.withBytes(0) { type in
            request.withBytes(1) { id in reply(tenant: tenant, type: type, id: id) }
        }
    }
}

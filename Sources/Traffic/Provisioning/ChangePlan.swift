/// Changes to provisioning by seed: mostly small updates, and among them inserts, deletes with what depends on the
/// object first, key moves, values that change hands inside a transaction, many rows at once, and roll-backs.
///
/// The plan remembers what its transactions do, so each must be run, in order. It needs to be the only writer of the
/// tenants it is given.
package struct ChangePlan: Sendable {
    private var models: [ChangeModel]
    var random: SplitMix64
    /// Of the last transaction.
    package private(set) var number: Int64
    /// Keep `dbidsPerChange` of each table of `insertedTables` in it.
    package var dbids: DBIDAllocator
    private let large: Large

    /// Transactions of many rows.
    package struct Large: Hashable, Sendable {
        /// Every how many transactions one comes.
        package var every: Int
        /// Rows it changes: persons and DNs of a tenant, over and over where there are not so many.
        package var rows: Int

        package init(every: Int = 300, rows: Int = 1000) {
            self.every = every
            self.rows = rows
        }
    }

    /// Tables into which changes insert objects with a dbid.
    package static let insertedTables: [ProvisioningTable] = [.person, .dn, .skill]
    /// As many dbids of a table does one change take at most.
    package static let dbidsPerChange: Int64 = 1

    /// `tables` are the rows that exist; transactions are numbered from `number` + 1.
    package init(
        seed: UInt64, tables: [ProvisioningRows], dbids: DBIDAllocator, large: Large = Large(), after number: Int64 = 0
    ) {
        random = SplitMix64(seed: seed)
        models = ChangeModel.models(of: tables)
        self.dbids = dbids
        self.large = large
        self.number = number
    }

    private enum Kind: CaseIterable {
        case rename, properties, thing, level, memberMove, skillMove, hire, dismiss, addDN, removeDN, addSkill
        case removeSkill, exchangeIDs, handOver, batch

        var weight: Int {
            switch self {
            case .rename: 30
            case .properties, .level: 14
            case .thing: 10
            case .memberMove, .hire: 6
            case .skillMove, .dismiss: 5
            case .batch: 4
            case .addDN, .exchangeIDs: 3
            case .removeDN, .handOver: 2
            case .addSkill, .removeSkill: 1
            }
        }
    }

    /// The next transaction; nil when there is no tenant to change.
    package mutating func next() -> PlannedTransaction? {
        guard !models.isEmpty else { return nil }
        number += 1
        let index = random.below(models.count)
        var model = models[index]
        if number % Int64(max(1, large.every)) == 0 {
            return PlannedTransaction(number: number, changes: largeChanges(model), isRolledBack: false)
        }
        var changes: [RowChange] = []
        while changes.isEmpty {
            let kinds = Kind.allCases
            changes = self.changes(kinds[random.weighted(kinds.map(\.weight))], &model)
        }
        let isRolledBack = random.chance(percent: 2)
        if !isRolledBack { models[index] = model }
        return PlannedTransaction(number: number, changes: changes, isRolledBack: isRolledBack)
    }

    private mutating func changes(_ kind: Kind, _ model: inout ChangeModel) -> [RowChange] {
        switch kind {
        case .rename:
            guard let person = random.pick(model.agents + model.others) else { return [] }
            return [rename(person)]
        case .properties:
            guard let person = random.pick(model.agents) else { return [] }
            return [.update(.person, key: [String(person)], set: [properties()])]
        case .thing:
            guard let thing = random.pick(model.things) else { return [] }
            return [.update(thing.table, key: [String(thing.dbid)], set: [properties()])]
        case .level:
            guard let pair = random.pick(model.personSkills) else { return [] }
            return [.update(.personSkill, key: pair.key, set: [.init("level", String(1 + random.below(10)))])]
        case .memberMove: return moveMember(&model)
        case .skillMove: return moveSkill(&model)
        case .hire: return hire(&model, userName: nil)
        case .dismiss: return dismiss(&model)?.changes ?? []
        case .handOver:
            // The successor has the name of the one who left, in the same transaction.
            guard let left = dismiss(&model), let name = left.userName else { return [] }
            return left.changes + hire(&model, userName: name)
        case .exchangeIDs: return exchangeIDs(&model)
        case .addDN: return addDN(&model)
        case .removeDN: return removeDN(&model)
        case .addSkill: return addSkill(&model)
        case .removeSkill: return removeSkill(&model)
        case .batch:
            let start = random.below(model.agents.count)
            return model.agents[start...].prefix(5 + random.below(46)).map { rename($0) }
        }
    }

    private mutating func largeChanges(_ model: ChangeModel) -> [RowChange] {
        let persons = model.agents + model.others
        var changes: [RowChange] = []
        var missing = max(1, large.rows)
        while missing > 0 {
            let some = Array(persons.prefix(missing))
            changes.append(.updateMany(.person, dbids: some, set: [properties()]))
            missing -= some.count
            let dns = Array(model.allDNs.prefix(missing))
            guard !dns.isEmpty else { continue }
            let flag = random.chance(percent: 50) ? "1" : "0"
            changes.append(.updateMany(.dn, dbids: dns, set: [.init("register_all", flag)]))
            missing -= dns.count
        }
        return changes
    }

    private mutating func rename(_ person: Int64) -> RowChange {
        let name = PersonName(&random)
        return .update(
            .person, key: [String(person)],
            set: [
                .init("first_name", name.first), .init("last_name", name.last),
                .init("email", random.chance(percent: 80) ? "\(name.user)@example.com" : nil),
            ])
    }

    private mutating func properties() -> RowChange.Assignment {
        .init("user_properties", #"{"general": {"note": "\#(random.below(1_000_000))", "by": "\#(number)"}}"#)
    }
}

internal import Traffic

/// What administrators do to the persons of some tenants: transactions that the table's constraints allow.
struct Application {
    let tenants: [String]

    /// The changes of one transaction to a table of these rows.
    func transaction(_ rows: [SimulatedPostgres.Person: SimulatedPostgres.Row], _ random: inout SplitMix64)
        -> [SimulatedPostgres.Change]
    {
        var rows = rows
        var changes: [SimulatedPostgres.Change] = []
        for _ in 0..<[1, 1, 2, 4, 12][random.below(5)] {
            guard let change = change(rows, &random) else { continue }
            SimulatedPostgres.apply([change], to: &rows)
            changes.append(change)
        }
        return changes
    }

    private func change(_ rows: [SimulatedPostgres.Person: SimulatedPostgres.Row], _ random: inout SplitMix64)
        -> SimulatedPostgres.Change?
    {
        let person = SimulatedPostgres.Person(tenant: tenants[random.below(tenants.count)], id: random.below(12))
        guard let old = rows[person] else {
            return random.chance(percent: 90) ? .insert(person, row(of: person, in: rows, &random)) : nil
        }
        switch random.below(40) {
        case 0: return .truncate
        case 1...7: return .delete(person)
        case 8...12:
            let new = SimulatedPostgres.Person(tenant: person.tenant, id: 12 + random.below(8))
            guard rows[new] == nil else { return nil }
            var row = old
            row["place"] = "\(random.below(3))"
            return .update(new, row, from: person, unchanged: random.chance(percent: 50) ? ["note"] : [])
        case 13...22:
            var row = row(of: person, in: rows, &random)
            row["note"] = old["note"]
            return .update(person, row, from: nil, unchanged: ["note"])
        default: return .update(person, row(of: person, in: rows, &random), from: nil, unchanged: [])
        }
    }

    /// A user name that nobody else has, a shared place, and NULL now and then.
    private func row(
        of person: SimulatedPostgres.Person, in rows: [SimulatedPostgres.Person: SimulatedPostgres.Row],
        _ random: inout SplitMix64
    ) -> SimulatedPostgres.Row {
        var taken: Set<String> = []
        for (other, row) in rows where other != person && other.tenant == person.tenant {
            if let name = row["user_name"] { taken.insert(name) }
        }
        let free = (0..<24).map { "u\($0)" }.filter { !taken.contains($0) }
        var row = ["user_name": free[random.below(free.count)]]
        if random.chance(percent: 70) { row["place"] = "\(random.below(3))" }
        if random.chance(percent: 60) { row["note"] = "n\(random.below(1_000))" }
        return row
    }
}

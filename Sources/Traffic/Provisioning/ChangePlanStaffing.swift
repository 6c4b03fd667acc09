// Objects that come, and objects that go once nothing depends on them.
extension ChangePlan {
    mutating func hire(_ model: inout ChangeModel, userName: String?) -> [RowChange] {
        let dbid = dbids.take(.person)
        let name = PersonName(&random)
        let user = userName ?? "\(name.user)_\(dbid)"
        let id = "B\(model.tenant)-\(dbid)"
        model.others.append(dbid)
        model.userNames[dbid] = user
        model.employeeIDs[dbid] = id
        var changes: [RowChange] = [
            .insert(
                .person,
                values: [
                    String(dbid), model.tenant, user, id, name.first, name.last, "\(name.user)@example.com", "1", nil,
                    "1", "{}",
                ])
        ]
        for _ in 0..<random.below(3) {
            guard let skill = random.pick(model.skills) else { break }
            changes += assign(skill, to: dbid, &model)
        }
        if let group = random.pick(model.groups) {
            model.groupMembers.append(.init(first: group, second: dbid))
            changes.append(.insert(.agentGroupMember, values: [model.tenant, String(group), String(dbid)]))
        }
        return changes
    }

    private mutating func assign(_ skill: Int64, to person: Int64, _ model: inout ChangeModel) -> [RowChange] {
        let pair = ChangeModel.Pair(first: person, second: skill)
        guard !model.personSkills.contains(pair) else { return [] }
        model.personSkills.append(pair)
        let level = String(1 + random.below(10))
        return [.insert(.personSkill, values: [model.tenant, String(person), String(skill), level])]
    }

    /// Skills, memberships and managers' lists first, the person last.
    mutating func dismiss(_ model: inout ChangeModel) -> (changes: [RowChange], userName: String?)? {
        guard model.others.count > 10 else { return nil }
        let person = model.others.swapRemove(random.below(model.others.count))
        var changes: [RowChange] = []
        changes += remove(&model.personSkills, from: .personSkill) { $0.first == person }
        changes += remove(&model.groupMembers, from: .agentGroupMember) { $0.second == person }
        for group in model.groups {
            guard var managers = model.groupManagers[group], managers.contains(person) else { continue }
            managers.removeAll { $0 == person }
            model.groupManagers[group] = managers
            changes.append(list(.agentGroup, group, "manager_dbids", managers))
        }
        changes.append(.delete(.person, key: [String(person)]))
        model.employeeIDs[person] = nil
        return (changes, model.userNames.removeValue(forKey: person))
    }

    /// A routing point that groups and campaigns use at once.
    mutating func addDN(_ model: inout ChangeModel) -> [RowChange] {
        let dbid = dbids.take(.dn)
        model.spareDNs.append(dbid)
        model.allDNs.append(dbid)
        let (text, host) = (String(dbid), String(model.host))
        var changes: [RowChange] = [
            .insert(.dn, values: [text, model.tenant, host, "6", "v\(dbid)", "Virtual_\(dbid)", "1", "0", "1"])
        ]
        if let group = random.pick(model.dnGroups) {
            model.dnGroupMembers.append(.init(first: group, second: dbid))
            changes.append(.insert(.dnGroupMember, values: [model.tenant, String(group), text]))
        }
        if let group = random.pick(model.groups) {
            let routes = (model.groupRoutes[group] ?? []) + [dbid]
            model.groupRoutes[group] = routes
            changes.append(list(.agentGroup, group, "route_dn_dbids", routes))
        }
        if let group = random.pick(model.campaignGroups) {
            model.campaignGroupOrigins[group] = dbid
            changes.append(.update(.campaignGroup, key: [String(group)], set: [.init("orig_dn_dbid", text)]))
        }
        return changes
    }

    /// Places, groups and campaign groups first, the DN last.
    mutating func removeDN(_ model: inout ChangeModel) -> [RowChange] {
        guard model.spareDNs.count > 5 else { return [] }
        let dn = model.spareDNs.swapRemove(random.below(model.spareDNs.count))
        model.allDNs.removeAll { $0 == dn }
        var changes: [RowChange] = []
        for (place, dns) in model.placeDNs.sorted(by: { $0.key < $1.key }) where dns.contains(dn) {
            let rest = dns.filter { $0 != dn }
            model.placeDNs[place] = rest
            changes.append(list(.place, place, "dn_dbids", rest))
        }
        changes += remove(&model.dnGroupMembers, from: .dnGroupMember) { $0.second == dn }
        for group in model.groups {
            guard var routes = model.groupRoutes[group], routes.contains(dn) else { continue }
            routes.removeAll { $0 == dn }
            model.groupRoutes[group] = routes
            changes.append(list(.agentGroup, group, "route_dn_dbids", routes))
        }
        for group in model.campaignGroups where model.campaignGroupOrigins[group] == dn {
            model.campaignGroupOrigins[group] = nil
            changes.append(.update(.campaignGroup, key: [String(group)], set: [.init("orig_dn_dbid", nil)]))
        }
        return changes + [.delete(.dn, key: [String(dn)])]
    }

    mutating func addSkill(_ model: inout ChangeModel) -> [RowChange] {
        let dbid = dbids.take(.skill)
        model.skills.append(dbid)
        let name = "\(random.pick(NameLists.skills) ?? "Skill")_\(dbid)"
        var changes: [RowChange] = [.insert(.skill, values: [String(dbid), model.tenant, name, "1", "{}"])]
        for _ in 0..<5 {
            guard let person = random.pick(model.agents) else { break }
            changes += assign(dbid, to: person, &model)
        }
        return changes
    }

    /// Persons' levels first, the skill last.
    mutating func removeSkill(_ model: inout ChangeModel) -> [RowChange] {
        guard model.skills.count > 8 else { return [] }
        let skill = model.skills.swapRemove(random.below(model.skills.count))
        return remove(&model.personSkills, from: .personSkill) { $0.second == skill }
            + [.delete(.skill, key: [String(skill)])]
    }

    private func remove(
        _ pairs: inout [ChangeModel.Pair], from table: ProvisioningTable, where matches: (ChangeModel.Pair) -> Bool
    ) -> [RowChange] {
        let gone = pairs.filter(matches)
        pairs.removeAll(where: matches)
        return gone.map { .delete(table, key: $0.key) }
    }

    private func list(_ table: ProvisioningTable, _ dbid: Int64, _ column: String, _ dbids: [Int64]) -> RowChange {
        .update(table, key: [String(dbid)], set: [.init(column, DBIDArray.text(dbids))])
    }
}

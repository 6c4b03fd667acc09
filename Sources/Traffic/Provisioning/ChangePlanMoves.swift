// Keys and values that move from one object to another.
extension ChangePlan {
    mutating func moveMember(_ model: inout ChangeModel) -> [RowChange] {
        guard !model.groupMembers.isEmpty, let group = random.pick(model.groups) else { return [] }
        let index = random.below(model.groupMembers.count)
        let old = model.groupMembers[index]
        let new = ChangeModel.Pair(first: group, second: old.second)
        guard !model.groupMembers.contains(new) else { return [] }
        model.groupMembers[index] = new
        return [.update(.agentGroupMember, key: old.key, set: [.init("agent_group_dbid", String(group))])]
    }

    mutating func moveSkill(_ model: inout ChangeModel) -> [RowChange] {
        guard !model.personSkills.isEmpty, let skill = random.pick(model.skills) else { return [] }
        let index = random.below(model.personSkills.count)
        let old = model.personSkills[index]
        let new = ChangeModel.Pair(first: old.first, second: skill)
        guard !model.personSkills.contains(new) else { return [] }
        model.personSkills[index] = new
        return [.update(.personSkill, key: old.key, set: [.init("skill_dbid", String(skill))])]
    }

    /// Two who are not on calls exchange their employee IDs; in between, one has none of them.
    mutating func exchangeIDs(_ model: inout ChangeModel) -> [RowChange] {
        guard let first = random.pick(model.others), let second = random.pick(model.others), first != second,
            let firstID = model.employeeIDs[first], let secondID = model.employeeIDs[second]
        else { return [] }
        model.employeeIDs[first] = secondID
        model.employeeIDs[second] = firstID
        return [(first, "moving-\(number)"), (second, firstID), (first, secondID)].map { person, id in
            .update(.person, key: [String(person)], set: [.init("employee_id", id)])
        }
    }
}

/// Rows, and what PostgreSQL must say to statements about them.
extension ProvisioningSchemaTests {
    /// Tenants 101 and 102; in 101: switch, DNs 1 and 2, places 1 and 2, person 1 in place 1, skill 1.
    static let someObjects = """
        INSERT INTO provisioning.tenant (name, parent_tenant_dbid) VALUES ('Acme', 1), ('Other', 1);
        INSERT INTO provisioning.switch (tenant_dbid, name) VALUES (101, 'sw'), (102, 'sw');
        INSERT INTO provisioning.dn (tenant_dbid, switch_dbid, type, number) VALUES (101, 1, 1, '7001'), (101, 1, 1, '7002');
        INSERT INTO provisioning.place (tenant_dbid, name) VALUES (101, 'p1'), (101, 'p2');
        INSERT INTO provisioning.person (tenant_dbid, user_name, employee_id, is_agent, place_dbid)
            VALUES (101, 'alice', 'e1', true, 1);
        INSERT INTO provisioning.skill (tenant_dbid, name) VALUES (101, 'English');
        INSERT INTO provisioning.person_skill (tenant_dbid, person_dbid, skill_dbid, level) VALUES (101, 1, 1, 5);
        """

    private static let check = "23514"
    private static let unique = "23505"
    private static let foreignKey = "23503"
    private static let immutable = "23000"

    static let refused = [
        ("UPDATE provisioning.tenant SET name = 'x' WHERE dbid = 1", immutable),
        ("DELETE FROM provisioning.tenant WHERE dbid = 1", immutable),
        ("UPDATE provisioning.person SET is_agent = false", immutable),
        ("UPDATE provisioning.dn SET number = '1' WHERE dbid = 1", immutable),
        ("UPDATE provisioning.dn SET type = 2 WHERE dbid = 1", immutable),
        ("UPDATE provisioning.skill SET dbid = 9", "428C9"),
        ("INSERT INTO provisioning.skill (dbid, tenant_dbid, name) VALUES (9, 101, 'x')", "428C9"),
        ("INSERT INTO provisioning.tenant (name) VALUES ('Acme')", unique),
        ("INSERT INTO provisioning.tenant (name) VALUES (repeat('x', 65))", check),
        ("INSERT INTO provisioning.tenant (dbid, name) OVERRIDING SYSTEM VALUE VALUES (-7, 'below')", check),
        ("INSERT INTO provisioning.tenant (dbid, name) OVERRIDING SYSTEM VALUE VALUES (0, 'nobody')", check),
        ("INSERT INTO provisioning.person (tenant_dbid, user_name, employee_id) VALUES (102, 'alice', 'e')", unique),
        ("INSERT INTO provisioning.person (tenant_dbid, user_name, employee_id) VALUES (101, 'bob', 'e1')", unique),
        ("INSERT INTO provisioning.skill (tenant_dbid, name) VALUES (101, 'English')", unique),
        ("INSERT INTO provisioning.dn (tenant_dbid, switch_dbid, type, number) VALUES (101, 1, 1, '7001')", unique),
        ("INSERT INTO provisioning.dn (tenant_dbid, switch_dbid, type, number) VALUES (101, 1, 7, '7009')", check),
        // A switch of another tenant, whether it has this DN or not; its DN, which stands in a place; its link.
        ("INSERT INTO provisioning.dn (tenant_dbid, switch_dbid, type, number) VALUES (102, 1, 1, '7001')", foreignKey),
        (
            """
            UPDATE provisioning.place SET dn_dbids = '{1}' WHERE dbid = 1;
            INSERT INTO provisioning.place (tenant_dbid, name, dn_dbids) VALUES (102, 'p', '{1}')
            """, foreignKey
        ),
        (
            "INSERT INTO provisioning.person_skill (tenant_dbid, person_dbid, skill_dbid) VALUES (102, 1, 1)",
            foreignKey
        ),
        ("INSERT INTO provisioning.dn (tenant_dbid, switch_dbid, type, number) VALUES (101, 2, 1, '7009')", foreignKey),
        ("DELETE FROM provisioning.skill WHERE dbid = 1", foreignKey),
        ("UPDATE provisioning.skill SET state = 4", check),
        (#"UPDATE provisioning.skill SET user_properties = '{"a": 1}'"#, check),
        (#"UPDATE provisioning.skill SET user_properties = '{"a": {"b": {}}}'"#, check),
        (#"UPDATE provisioning.skill SET user_properties = '{"a": {"b": []}}'"#, check),
        ("UPDATE provisioning.skill SET user_properties = '[]'", check),
        ("UPDATE provisioning.place SET dn_dbids = '{99}' WHERE dbid = 1", foreignKey),
        ("UPDATE provisioning.place SET dn_dbids = '{1}'", unique),
        ("UPDATE provisioning.place SET dn_dbids = '{1,1}' WHERE dbid = 1", unique),
        ("UPDATE provisioning.place SET dn_dbids = '{1}' WHERE dbid = 1; DELETE FROM provisioning.dn", foreignKey),
        ("INSERT INTO regionsync.history VALUES (0, 1, 1, 'x')", check),
    ]

    static let allowed = [
        #"UPDATE provisioning.skill SET user_properties = '{"a": {"b": "c", "d": 1}, "e": {}}'"#,
        "INSERT INTO provisioning.skill (tenant_dbid, name) VALUES (101, 'German')",
        "DELETE FROM provisioning.skill WHERE name = 'German'",
        "UPDATE provisioning.place SET dn_dbids = '{1,2}' WHERE dbid = 1",
        "UPDATE provisioning.place SET dn_dbids = '{2}' WHERE dbid = 1",
        "UPDATE provisioning.place SET dn_dbids = '{1}' WHERE dbid = 2",
        // A DN changes places within one transaction, in any order.
        """
        SET CONSTRAINTS ALL DEFERRED; UPDATE provisioning.place SET dn_dbids = '{1,2}' WHERE dbid = 2;
        UPDATE provisioning.place SET dn_dbids = '{}' WHERE dbid = 1
        """,
        "DELETE FROM provisioning.place WHERE dbid = 2",
        "DELETE FROM provisioning.dn WHERE dbid = 2",
        "UPDATE provisioning.dn SET name = 'reception' WHERE dbid = 1",
        "DELETE FROM provisioning.person_skill",
        "DELETE FROM provisioning.person",
    ]
}

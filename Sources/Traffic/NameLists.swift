/// Names for people and things that are made up; some need more than ASCII, as real ones do.
enum NameLists {
    static let firstNames = [
        "Ada", "Agnès", "Ahmed", "Aiko", "Alan", "Amara", "Anders", "Anita", "Antonio", "Ayşe", "Barbara", "Björn",
        "Carlos", "Chen", "Chloé", "Daniel", "Dmitri", "Elena", "Emeka", "Erik", "Fatima", "Félix", "Grace", "Hana",
        "Hugo", "Ines", "Ivan", "Jamal", "Jana", "João", "Katarzyna", "Kenji", "Lars", "Leila", "Linus", "Lucía",
        "Magnus", "María", "Mei", "Mohammed", "Nadia", "Niamh", "Noor", "Olga", "Omar", "Paulo", "Priya", "Rajesh",
        "Renée", "Rosa", "Søren", "Sofia", "Tariq", "Thabo", "Uma", "Viktor", "Wanjiru", "Xin", "Yusuf", "Zoë",
    ]

    static let lastNames = [
        "Abebe", "Almeida", "Andersson", "Baker", "Bauer", "Bélanger", "Brown", "Castro", "Chatterjee", "Cohen",
        "Cooper", "Dąbrowski", "Davies", "Diallo", "Dubois", "Eriksen", "Fernández", "Fischer", "García", "Gupta",
        "Hansen", "Hernández", "Hughes", "Ibrahim", "Ivanova", "Jansen", "Johnson", "Kim", "Kovács", "Kowalski",
        "Larsen", "Lee", "López", "Martin", "Mbeki", "Meyer", "Müller", "Nakamura", "Nguyễn", "Novák", "O'Brien",
        "Okafor", "Olsen", "Park", "Patel", "Pereira", "Petrov", "Quinn", "Ramírez", "Rossi", "Sato", "Schäfer",
        "Silva", "Singh", "Smith", "Tanaka", "Torres", "Virtanen", "Wang", "Yılmaz",
    ]

    static let skills = [
        "English", "Spanish", "French", "German", "Billing", "Sales", "Retention", "Technical", "Fraud", "Loans",
        "Mortgage", "Travel", "Claims", "Escalation", "Chat", "Email",
    ]

    static let groups = [
        "Billing_East", "Billing_West", "Sales", "Retention", "Technical_1", "Technical_2", "Fraud_Desk", "Loans",
        "Claims", "Night_Shift", "Weekend", "Supervisors",
    ]

    static let campaigns = ["Spring_Renewal", "Welcome_Calls", "Collections", "Survey", "Win_Back", "Appointments"]

    static let treatments = [("Busy_Retry", 6), ("No_Answer_Retry", 7), ("Machine_Retry", 9)]

    static let tenants = ["Aurora_Bank", "Borealis_Air", "Cobalt_Energy", "Delta_Telecom", "Evergreen_Health"]
}

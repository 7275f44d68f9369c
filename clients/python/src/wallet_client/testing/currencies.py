"""The currencies of the service: codes, decimals, kinds and names."""

# ruff: noqa: RUF001  # names of currencies in their own letters

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency or unit; an amount with more decimals than ``exponent`` is refused."""

    code: str
    exponent: int
    kind: str
    name: str


def _group(kind: str, exponent: int, lines: str) -> dict[str, Currency]:
    named = (line.split(maxsplit=1) for line in lines.strip().splitlines())
    return {code: Currency(code, exponent, kind, name) for code, name in named}


CURRENCIES: dict[str, Currency] = {
    **_group(
        "fiat",
        2,
        """
        AED United Arab Emirates Dirham
        AFN Afghan Afghani
        ALL Albanian Lek
        AMD Armenian Dram
        AOA Angolan Kwanza
        ARS Argentine Peso
        AUD Australian Dollar
        AWG Aruban Florin
        AZN Azerbaijani Manat
        BAM Bosnia-Herzegovina Convertible Mark
        BBD Barbadian Dollar
        BDT Bangladeshi Taka
        BGN Bulgarian Lev
        BMD Bermudan Dollar
        BND Brunei Dollar
        BOB Bolivian Boliviano
        BRL Brazilian Real
        BSD Bahamian Dollar
        BTN Bhutanese Ngultrum
        BWP Botswanan Pula
        BYN Belarusian Ruble
        BZD Belize Dollar
        CAD Canadian Dollar
        CDF Congolese Franc
        CHF Swiss Franc
        CNY Chinese Yuan
        COP Colombian Peso
        CRC Costa Rican Colón
        CUP Cuban Peso
        CVE Cape Verdean Escudo
        CZK Czech Koruna
        DKK Danish Krone
        DOP Dominican Peso
        DZD Algerian Dinar
        EGP Egyptian Pound
        ERN Eritrean Nakfa
        ETB Ethiopian Birr
        EUR Euro
        FJD Fijian Dollar
        FKP Falkland Islands Pound
        GBP British Pound
        GEL Georgian Lari
        GHS Ghanaian Cedi
        GIP Gibraltar Pound
        GMD Gambian Dalasi
        GTQ Guatemalan Quetzal
        GYD Guyanaese Dollar
        HKD Hong Kong Dollar
        HNL Honduran Lempira
        HTG Haitian Gourde
        HUF Hungarian Forint
        IDR Indonesian Rupiah
        ILS Israeli New Shekel
        INR Indian Rupee
        IRR Iranian Rial
        JMD Jamaican Dollar
        KES Kenyan Shilling
        KGS Kyrgystani Som
        KHR Cambodian Riel
        KPW North Korean Won
        KYD Cayman Islands Dollar
        KZT Kazakhstani Tenge
        LAK Laotian Kip
        LBP Lebanese Pound
        LKR Sri Lankan Rupee
        LRD Liberian Dollar
        LSL Lesotho Loti
        MAD Moroccan Dirham
        MDL Moldovan Leu
        MGA Malagasy Ariary
        MKD Macedonian Denar
        MMK Myanmar Kyat
        MNT Mongolian Tugrik
        MOP Macanese Pataca
        MRU Mauritanian Ouguiya
        MUR Mauritian Rupee
        MVR Maldivian Rufiyaa
        MWK Malawian Kwacha
        MXN Mexican Peso
        MYR Malaysian Ringgit
        MZN Mozambican Metical
        NAD Namibian Dollar
        NGN Nigerian Naira
        NIO Nicaraguan Córdoba
        NOK Norwegian Krone
        NPR Nepalese Rupee
        NZD New Zealand Dollar
        PAB Panamanian Balboa
        PEN Peruvian Sol
        PGK Papua New Guinean Kina
        PHP Philippine Peso
        PKR Pakistani Rupee
        PLN Polish Zloty
        QAR Qatari Riyal
        RON Romanian Leu
        RSD Serbian Dinar
        RUB Russian Ruble
        SAR Saudi Riyal
        SBD Solomon Islands Dollar
        SCR Seychellois Rupee
        SDG Sudanese Pound
        SEK Swedish Krona
        SGD Singapore Dollar
        SHP St. Helena Pound
        SLE Sierra Leonean Leone
        SOS Somali Shilling
        SRD Surinamese Dollar
        SSP South Sudanese Pound
        STN São Tomé & Príncipe Dobra
        SYP Syrian Pound
        SZL Swazi Lilangeni
        THB Thai Baht
        TJS Tajikistani Somoni
        TMT Turkmenistani Manat
        TOP Tongan Paʻanga
        TRY Turkish Lira
        TTD Trinidad & Tobago Dollar
        TWD New Taiwan Dollar
        TZS Tanzanian Shilling
        UAH Ukrainian Hryvnia
        USD US Dollar
        UYU Uruguayan Peso
        UZS Uzbekistani Som
        VES Venezuelan Bolívar
        WST Samoan Tala
        XCD East Caribbean Dollar
        XCG Caribbean guilder
        YER Yemeni Rial
        ZAR South African Rand
        ZMW Zambian Kwacha
        ZWG Zimbabwean Gold
        """,
    ),
    **_group(
        "fiat",
        3,
        """
        BHD Bahraini Dinar
        IQD Iraqi Dinar
        JOD Jordanian Dinar
        KWD Kuwaiti Dinar
        LYD Libyan Dinar
        OMR Omani Rial
        TND Tunisian Dinar
        """,
    ),
    **_group(
        "fiat",
        0,
        """
        BIF Burundian Franc
        CLP Chilean Peso
        DJF Djiboutian Franc
        GNF Guinean Franc
        ISK Icelandic Króna
        JPY Japanese Yen
        KMF Comorian Franc
        KRW South Korean Won
        PYG Paraguayan Guarani
        RWF Rwandan Franc
        UGX Ugandan Shilling
        VND Vietnamese Dong
        VUV Vanuatu Vatu
        XAF Central African CFA Franc
        XOF West African CFA Franc
        XPF CFP Franc
        """,
    ),
    **_group(
        "credit",
        6,
        """
        CREDIT Credit
        TOKEN Token
        """,
    ),
    **_group(
        "crypto",
        8,
        """
        BTC Bitcoin
        """,
    ),
    **_group(
        "crypto",
        18,
        """
        ETH Ether
        """,
    ),
    **_group(
        "crypto",
        6,
        """
        USDT Tether USD
        USDC USD Coin
        """,
    ),
}

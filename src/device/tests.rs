//! User agents as the vendors publish them, or as their browsers send them.

use super::name;

const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) ";
const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) ";
const LINUX: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) ";
const ANDROID: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) ";
const IPHONE: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) ";
const IPAD: &str = "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) ";
/// An iPad that requests desktop pages.
const IPAD_AS_MAC: &str =
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) ";

#[track_caller]
fn check(cases: &[(&str, &str, &str)]) {
    for (system, rest, expected) in cases {
        let user_agent = format!("{system}{rest}");
        assert_eq!(name(&user_agent), *expected, "{user_agent}");
    }
}

#[test]
fn browsers_of_computers_are_told_apart() {
    check(&[
        (WINDOWS, "Chrome/150.0.0.0 Safari/537.36", "Chrome on Windows"),
        (WINDOWS, "Chrome/150.0.0.0 Safari/537.36 Edg/150.0.0.0", "Edge on Windows"),
        (WINDOWS, "Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763", "Edge on Windows"),
        (MAC, "Chrome/150.0.0.0 Safari/537.36 Edg/150.0.3124.85", "Edge on macOS"),
        (LINUX, "Chrome/150.0.0.0 Safari/537.36 Edg/150.0.0.0", "Edge on Linux"),
        (MAC, "Chrome/150.0.0.0 Safari/537.36 OPR/133.0.0.0", "Opera on macOS"),
        (LINUX, "Chrome/150.0.0.0 Safari/537.36 OPR/133.0.0.0 (Edition std-1)", "Opera on Linux"),
        (WINDOWS, "Chrome/150.0.0.0 Safari/537.36 Vivaldi/7.1.3570.39", "Vivaldi on Windows"),
        (WINDOWS, "Chrome/150.0.0.0 YaBrowser/26.1.0.0 Safari/537.36", "Yandex Browser on Windows"),
        (MAC, "Chrome/150.0.0.0 YaBrowser/26.1.0.0 Yowser/2.5 Safari/537.36", "Yandex Browser on macOS"),
        (WINDOWS, "Chrome/150.0.0.0 Safari/537.36 Edg/150.0.0.0 Ddg/150.0.0.0", "DuckDuckGo on Windows"),
        (WINDOWS, "Chrome/124.0.6367.243 Whale/3.27.254.15 Safari/537.36", "Whale on Windows"),
        (WINDOWS, "coc_coc_browser/121.0.144 Chrome/115.0.5790.144 Safari/537.36", "Cốc Cốc on Windows"),
        (WINDOWS, "Chrome/94.0.4606.71 Core/1.94.225.400 QQBrowser/12.1.5496.400", "QQ Browser on Windows"),
        (LINUX, "HeadlessChrome/150.0.0.0 Safari/537.36", "Chrome on Linux"),
        (LINUX, "Ubuntu Chromium/99.0.4844.51 Chrome/99.0.4844.51 Safari/537.36", "Chromium on Linux"),
        (IPAD_AS_MAC, "Version/18.5 Safari/605.1.15 Ddg/18.5", "DuckDuckGo on macOS"),
        (IPAD_AS_MAC, "Version/18.5 Safari/605.1.15", "Safari on macOS"),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) ",
            "Version/18.0 Safari/605.1.15 Epiphany/605.1.15",
            "GNOME Web on Linux",
        ),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ", "Chrome/150.0.0.0 Safari/537.36", "Chrome on ChromeOS"),
        (
            "Mozilla/5.0 (X11; CrOS aarch64 14541.0.0) ",
            "Chrome/150.0.0.0 Safari/537.36 Edg/1",
            "Edge on ChromeOS",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:150.0) ",
            "Gecko/20100101 Firefox/150.0",
            "Firefox on macOS",
        ),
        (
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:150.0) ",
            "Gecko/20100101 Firefox/150.0",
            "Firefox on Linux",
        ),
        ("Mozilla/5.0 (X11; FreeBSD amd64; rv:150.0) ", "Gecko/20100101 Firefox/150.0", "Firefox on FreeBSD"),
        (
            "Mozilla/5.0 (Windows NT 10.0; rv:68.0) Gecko/20100101 ",
            "Firefox/68.0 SeaMonkey/2.53.18",
            "SeaMonkey on Windows",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) ",
            "like Gecko",
            "Internet Explorer on Windows",
        ),
        ("Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 ", "Version/12.18", "Opera on Windows"),
    ]);
}

#[test]
fn browsers_of_phones_and_tablets_are_told_apart() {
    check(&[
        (ANDROID, "Chrome/150.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        (ANDROID, "Chrome/150.0.0.0 Mobile Safari/537.36 EdgA/150.0.0.0", "Edge on Android"),
        (ANDROID, "Chrome/150.0.0.0 Mobile Safari/537.36 OPR/95.0.0.0", "Opera on Android"),
        (ANDROID, "SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36", "Samsung Internet on Android"),
        (ANDROID, "Chrome/150.0.0.0 Mobile Safari/537.36 Vivaldi/7.1", "Vivaldi on Android"),
        (ANDROID, "Chrome/150.0.0.0 Mobile DuckDuckGo/5 Safari/537.36", "DuckDuckGo on Android"),
        (
            ANDROID,
            "Version/4.0 Chrome/100.0.4896.58 UCBrowser/13.8.2.1324 Mobile Safari/537.36",
            "UC Browser on Android",
        ),
        (
            ANDROID,
            "Chrome/150.0.0.0 YaBrowser/26.1.1.00 SA/3 Mobile Safari/537.36",
            "Yandex Browser on Android",
        ),
        (
            ANDROID,
            "Version/4.0 Klar/1.0 Chrome/58.0.3029.121 Mobile Safari/537.36",
            "Firefox Klar on Android",
        ),
        (
            ANDROID,
            "Version/4.0 Focus/8.0.15 Chrome/83.0.4103.106 Mobile Safari/537.36",
            "Firefox Focus on Android",
        ),
        (
            ANDROID,
            "Version/4.0 Chrome/112.0.5615.136 Mobile Safari/537.36 XiaoMi/MiuiBrowser/14.4",
            "Mi Browser on Android",
        ),
        (
            ANDROID,
            "Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36 Instagram 340.0.0.22.109 Android",
            "Instagram on Android",
        ),
        (ANDROID, "Version/4.0 Mobile Safari/534.30", "Android Browser on Android"),
        (
            "Mozilla/5.0 (Linux; Android 11; KFTRWI) ",
            "Silk/127.4.1 like Chrome/127.0.6533.103 Safari/537.36",
            "Silk on Android",
        ),
        ("Mozilla/5.0 (Android 15; Tablet; rv:150.0) ", "Gecko/150.0 Firefox/150.0", "Firefox on Android"),
        (
            "Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) ",
            "Presto/2.12.423 Version/12.16",
            "Opera Mini on Android",
        ),
        (IPHONE, "Version/17.7 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        (IPHONE, "CriOS/150.0.7204.33 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
        (IPHONE, "FxiOS/150.0 Mobile/15E148 Safari/605.1.15", "Firefox on iPhone"),
        (IPHONE, "Version/17.0 EdgiOS/150.0.3351.83 Mobile/15E148 Safari/604.1", "Edge on iPhone"),
        (IPHONE, "Version/17.7 Mobile/15E148 Safari/604.1 OPT/5.3.0", "Opera on iPhone"),
        (IPHONE, "Version/17.7 Mobile/15E148 Safari/604.1 OPX/2.4.8", "Opera GX on iPhone"),
        (IPHONE, "Version/17.7 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15", "DuckDuckGo on iPhone"),
        (
            IPHONE,
            "Version/17.7 YaBrowser/26.1.3.353.10 SA/3 Mobile/15E148 Safari/604.1",
            "Yandex Browser on iPhone",
        ),
        (IPHONE, "GSA/320.0.642 Mobile/15E148 Safari/604.1", "Google app on iPhone"),
        (IPHONE, "Mobile/15E148 [FBAN/FBIOS;FBAV/470.0.0.36.98]", "Facebook on iPhone"),
        (IPAD, "CriOS/150.0.7204.33 Mobile/15E148 Safari/604.1", "Chrome on iPad"),
        (IPAD, "FxiOS/150.0 Mobile/15E148 Safari/605.1.15", "Firefox on iPad"),
    ]);
}

#[test]
fn phones_and_tablets_that_ask_for_the_pages_of_computers_are_still_themselves() {
    check(&[
        (IPAD_AS_MAC, "CriOS/150 Version/11.1.1 Safari/605.1.15", "Chrome on iPad"),
        (IPAD_AS_MAC, "FxiOS/150.0 Safari/605.1.15", "Firefox on iPad"),
        (IPAD_AS_MAC, "Version/17.0 EdgiOS/150.0.3351.83 Safari/605.1.15", "Edge on iPad"),
        (IPAD_AS_MAC, "Version/17.7 Mobile/15E148 Safari/604.1", "Safari on iPad"),
        (LINUX, "SamsungBrowser/29.0 Chrome/136.0.0.0 Safari/537.36", "Samsung Internet on Android"),
        (LINUX, "Chrome/150.0.0.0 Safari/537.36 EdgA/150.0.0.0", "Edge on Android"),
        (LINUX, "Silk/127.4.1 like Chrome/127.0.6533.103 Safari/537.36", "Silk on Android"),
    ]);
}

#[test]
fn televisions_consoles_and_programs_are_named_as_far_as_they_say() {
    check(&[
        (
            "Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) ",
            "SamsungBrowser/5.0 Chrome/94.0.4606.31 TV Safari/537.36",
            "Samsung Internet on Tizen",
        ),
        ("Mozilla/5.0 (Web0S; Linux/SmartTV) ", "Chrome/108.0.5359.211 Safari/537.36", "Chrome on webOS"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) ",
            "Chrome/150.0 Safari/537.36 Edg/150.0",
            "Edge on Xbox",
        ),
        (
            "Mozilla/5.0 (PlayStation; PlayStation 5/6.50) ",
            "Version/15.4 Safari/605.1.15",
            "Safari on PlayStation",
        ),
        (
            "Mozilla/5.0 (Mobile; Nokia_8110_4G; rv:48.0) ",
            "Gecko/48.0 Firefox/48.0 KAIOS/2.5",
            "Firefox on KaiOS",
        ),
        ("", "curl/8.5.0", "curl"),
        ("", "Wget/1.21.4 (linux-gnu)", "Wget"),
        (
            "",
            "Mozilla/5.0 (Windows NT 10.0; Microsoft Windows 10.0.19045; en-US) PowerShell/7.4.2",
            "PowerShell",
        ),
        ("", "python-requests/2.32.3", "Python"),
        ("", "Lynx/2.9.0 libwww-FM/2.14 SSL-MM/1.4.1", "Lynx"),
        ("", "latchkey command line", "Unknown device"),
    ]);
}

#[test]
fn what_names_nothing_we_know_is_an_unknown_device() {
    for nothing in
        ["", "Mozilla/5.0", "Zoë/1.0 😀", "Outline/3", "<script>alert(1)</script>", "MyEdg/1", "\u{fffd}a;F"]
    {
        assert_eq!(name(nothing), "Unknown device", "{nothing}");
    }
    assert_eq!(name("Mozilla/5.0 (X11; Linux x86_64)"), "Linux");
}

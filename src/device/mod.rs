//! Names browsers by their user agent, for display only: a client can send any user agent. Why there is no library for
//! it: docs/decisions/device-names.md.

/// The name of a device, such as "Firefox on Linux", as far as the user agent tells it.
pub fn name(user_agent: &str) -> String {
    let browser = BROWSERS.iter().find(|browser| has(user_agent, browser.mark));
    match (browser.map(|browser| browser_name(browser, user_agent)), system(user_agent, browser)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(known), None) | (None, Some(known)) => known.to_owned(),
        (None, None) => "Unknown device".to_owned(),
    }
}

struct Browser {
    /// The beginning of the token that names the browser.
    mark: &'static str,
    name: &'static str,
    /// The only system that sends this token, even if the rest of the user agent names another one: mobile browsers claim
    /// to be on a computer when the user requests the desktop site.
    only: Only,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Only {
    Anywhere,
    Ios,
    Android,
    /// A program, not a browser: its system is not shown.
    Tool,
}

const fn any(mark: &'static str, name: &'static str) -> Browser {
    Browser { mark, name, only: Only::Anywhere }
}

const fn ios(mark: &'static str, name: &'static str) -> Browser {
    Browser { mark, name, only: Only::Ios }
}

const fn android(mark: &'static str, name: &'static str) -> Browser {
    Browser { mark, name, only: Only::Android }
}

const fn tool(mark: &'static str, name: &'static str) -> Browser {
    Browser { mark, name, only: Only::Tool }
}

/// In this order, because most browsers also send the tokens of those further down.
const BROWSERS: &[Browser] = &[
    any("DuckDuckGo/", "DuckDuckGo"),
    any("Ddg/", "DuckDuckGo"),
    // Apps with a built-in browser.
    any("FBAN/", "Facebook"),
    any("FB_IAB/", "Facebook"),
    any("Instagram", "Instagram"),
    any("MicroMessenger/", "WeChat"),
    any("Line/", "LINE"),
    ios("GSA/", "Google app"),
    // With the engine of Chrome or Safari.
    android("EdgA/", "Edge"),
    ios("EdgiOS/", "Edge"),
    any("Edg/", "Edge"),
    any("EdgW/", "Edge"),
    any("Edge/", "Edge"),
    ios("OPT/", "Opera"),
    ios("OPX/", "Opera GX"),
    ios("OPiOS/", "Opera Mini"),
    any("Opera Mini/", "Opera Mini"),
    any("OPRGX/", "Opera GX"),
    any("OPR/", "Opera"),
    any("Opera/", "Opera"),
    any("Opera ", "Opera"),
    android("SamsungBrowser/", "Samsung Internet"),
    any("Vivaldi/", "Vivaldi"),
    any("Brave/", "Brave"),
    any("YaBrowser/", "Yandex Browser"),
    any("YaSearchBrowser/", "Yandex Browser"),
    any("UCBrowser/", "UC Browser"),
    any("UBrowser/", "UC Browser"),
    any("UCWEB/", "UC Browser"),
    android("Silk/", "Silk"),
    android("Silk-Accelerated", "Silk"),
    any("Whale/", "Whale"),
    any("coc_coc_browser/", "Cốc Cốc"),
    any("MQQBrowser/", "QQ Browser"),
    any("QQBrowser/", "QQ Browser"),
    android("MiuiBrowser/", "Mi Browser"),
    any("HuaweiBrowser/", "Huawei Browser"),
    android("HeyTapBrowser/", "HeyTap Browser"),
    android("VivoBrowser/", "vivo Browser"),
    any("Maxthon/", "Maxthon"),
    any("Puffin/", "Puffin"),
    any("Avast/", "Avast Secure Browser"),
    any("Electron/", "Electron app"),
    any("Epiphany/", "GNOME Web"),
    any("Falkon/", "Falkon"),
    any("Konqueror/", "Konqueror"),
    // With the engine of Firefox, or by Mozilla.
    any("Focus/", "Firefox Focus"),
    any("Klar/", "Firefox Klar"),
    any("SeaMonkey/", "SeaMonkey"),
    any("PaleMoon/", "Pale Moon"),
    any("Waterfox/", "Waterfox"),
    ios("FxiOS/", "Firefox"),
    any("Firefox/", "Firefox"),
    ios("CriOS/", "Chrome"),
    any("HeadlessChrome/", "Chrome"),
    any("Chromium/", "Chromium"),
    any("Chrome/", "Chrome"),
    any("Safari/", "Safari"),
    any("MSIE ", "Internet Explorer"),
    any("Trident/", "Internet Explorer"),
    // Text browsers.
    any("Lynx/", "Lynx"),
    any("w3m/", "w3m"),
    any("ELinks", "ELinks"),
    any("Links ", "Links"),
    tool("curl/", "curl"),
    tool("Wget/", "Wget"),
    tool("Wget2/", "Wget"),
    tool("HTTPie/", "HTTPie"),
    tool("PowerShell/", "PowerShell"),
    tool("WindowsPowerShell/", "PowerShell"),
    tool("PostmanRuntime/", "Postman"),
    tool("insomnia/", "Insomnia"),
    tool("python-requests/", "Python"),
    tool("python-httpx/", "Python"),
    tool("Python-urllib/", "Python"),
    tool("Python/", "Python"),
    tool("Go-http-client/", "Go"),
    tool("okhttp/", "OkHttp"),
    tool("Java/", "Java"),
    tool("libwww-perl/", "Perl"),
    tool("node", "Node.js"),
    tool("undici", "Node.js"),
    tool("axios/", "Node.js"),
];

/// In this order, because some systems also send the names of those further down.
const SYSTEMS: &[(&str, &str)] = &[
    ("Windows Phone", "Windows Phone"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("iPod", "iPod"),
    ("HarmonyOS", "HarmonyOS"),
    ("OpenHarmony", "HarmonyOS"),
    ("Tizen", "Tizen"),
    ("Web0S", "webOS"),
    ("webOS", "webOS"),
    ("KAIOS/", "KaiOS"),
    ("PlayStation", "PlayStation"),
    ("Nintendo", "Nintendo"),
    ("Xbox", "Xbox"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Mac OS X", "macOS"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("NetBSD", "NetBSD"),
    ("Linux", "Linux"),
];

/// Whether a token of the user agent begins with `mark`: "Line/" is not found in "Online/".
fn has(user_agent: &str, mark: &str) -> bool {
    user_agent
        .match_indices(mark)
        .any(|(at, _)| !user_agent[..at].ends_with(|before: char| before.is_alphanumeric()))
}

fn browser_name(browser: &Browser, user_agent: &str) -> &'static str {
    match browser.name {
        // Safari runs on Apple's systems only; other browsers send its token for compatibility.
        "Safari" if has(user_agent, "Android") => "Android Browser",
        name => name,
    }
}

fn system(user_agent: &str, browser: Option<&Browser>) -> Option<&'static str> {
    let named = SYSTEMS.iter().find(|(mark, _)| has(user_agent, mark)).map(|(_, name)| *name);
    match (browser.map(|browser| browser.only), named) {
        (Some(Only::Tool), _) => None,
        (Some(Only::Android), None | Some("Linux")) => Some("Android"),
        // An iPad that requests desktop sites claims to be a Mac.
        (Some(Only::Ios), Some("macOS")) => Some("iPad"),
        (_, Some("macOS")) if has(user_agent, "Mobile/") => Some("iPad"),
        (_, named) => named,
    }
}

#[cfg(test)]
mod tests;

DROP TABLE account_links, password_lanes, known_browsers;

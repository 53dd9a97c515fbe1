// SPDX-License-Identifier: Apache-2.0
#include "plugin/mqtt_connect.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::plugin {
namespace {

std::string two(std::size_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number & 255)};
}
std::string text(std::string_view bytes) { return two(bytes.size()) + std::string(bytes); }
std::string variable(std::size_t number) {
  std::string bytes;
  do {
    const auto low = static_cast<unsigned char>(number & 127);
    number >>= 7;
    bytes.push_back(static_cast<char>(low | (number > 0 ? 128 : 0)));
  } while (number > 0);
  return bytes;
}
std::string connect(std::string_view name, int level, int flags, const std::string& rest) {
  const std::string body =
      text(name) + static_cast<char>(level) + static_cast<char>(flags) + two(60) + rest;
  return "\x10" + variable(body.size()) + body;
}
std::string properties(const std::string& bytes) { return variable(bytes.size()) + bytes; }

std::string told(const std::string& bytes) {
  const auto read = parse_mqtt_connect(bytes);
  if (!read) return read.error().what.substr(std::string_view("MQTT CONNECT: ").size());
  if (!*read) return "more";
  const MqttConnect& packet = **read;
  std::string out = std::string(packet.protocol_name) + " " + std::to_string(packet.protocol_level) + " " +
                    std::string(packet.client_id);
  if (packet.user_name) out += " " + std::string(*packet.user_name);
  if (packet.has_will) out += " will";
  if (packet.bridge) out += " bridge";
  return out;
}

TEST(MqttConnect, OfEveryVersion) {
  EXPECT_EQ(told(connect("MQIsdp", 3, 2, text("one"))), "MQIsdp 3 one");
  EXPECT_EQ(told(connect("MQTT", 4, 2, text("one"))), "MQTT 4 one");
  EXPECT_EQ(told(connect("MQTT", 0x84, 2, text("one"))), "MQTT 4 one bridge");
  EXPECT_EQ(told(connect("MQTT", 4, 2, text(""))), "MQTT 4 ");
  EXPECT_EQ(told(connect("MQTT", 4, 2 | 128 | 64, text("one") + text("me") + text("secret"))),
            "MQTT 4 one me");
  EXPECT_EQ(told(connect("MQTT", 4, 2 | 4 | 8 | 32, text("one") + text("topic") + text("gone"))),
            "MQTT 4 one will");
  EXPECT_EQ(told(connect("MQTT", 5, 2, properties("") + text("one"))), "MQTT 5 one");
  const std::string every = std::string("\x11\0\0\0\x0a\x21\0\x14\x22\0\0\x27\0\1\0\0\x17\1\x19\0", 20) +
                            "\x15" + text("SCRAM") + "\x16" + text("data") + "\x26" + text("a") + text("b") +
                            "\x26" + text("a") + text("c");
  EXPECT_EQ(told(connect("MQTT", 5, 2, properties(every) + text("one"))), "MQTT 5 one");
  const std::string of_will = std::string("\x18\0\0\0\1\1\1\2\0\0\0\1", 12) + "\3" + text("t") + "\x08" +
                              text("r") + "\x09" + text("c") + "\x26" + text("a") + text("b");
  EXPECT_EQ(told(connect("MQTT", 5, 2 | 4 | 64,
                         properties("") + text("one") + properties(of_will) + text("topic") + text("x") +
                             text("a password alone"))),
            "MQTT 5 one will");
  // properties of more than 127 bytes: a length of two bytes
  EXPECT_EQ(
      told(connect("MQTT", 5, 2, properties("\x26" + text("k") + text(std::string(300, 'v'))) + text("one"))),
      "MQTT 5 one");
}

TEST(MqttConnect, SaysHowLongItIs) {
  const std::string packet = connect("MQTT", 5, 2, properties("") + text("one"));
  const auto read = parse_mqtt_connect(packet + "what follows");
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->size, packet.size());
  EXPECT_EQ((*read)->keep_alive_seconds, 60);
  EXPECT_TRUE((*read)->clean_start);
  for (std::size_t size = 0; size < packet.size(); ++size) EXPECT_EQ(told(packet.substr(0, size)), "more");
}

TEST(MqttConnect, RefusesWhatLies) {
  const std::string beyond = "a length in it reaches beyond its end, or a text is not UTF-8";
  EXPECT_EQ(told("GET / HTTP/1.1"), "the first byte is that of another packet");
  EXPECT_EQ(told("\x11"), "the first byte is that of another packet");  // flags that CONNECT has not
  EXPECT_EQ(told("\x20\x02"), "the first byte is that of another packet");
  EXPECT_EQ(told("\x10\x80\x80\x80\x80\x01"), "its length has more than four bytes");
  EXPECT_EQ(told("\x10\xff\xff\xff\x7f"), "it has 268435460 bytes; 16384 are taken");
  EXPECT_EQ(told(std::string("\x10\0", 2)), "it ends within its variable header");
  EXPECT_EQ(told(connect("MQTT", 6, 2, text("one"))),
            "protocol level 6 is none of 3 (3.1), 4 (3.1.1), 5 (5.0)");
  EXPECT_EQ(told(connect("MQTT", 4, 3, text("one"))), "a flag is set that has no meaning");
  EXPECT_EQ(told(connect("MQTT", 4, 2 | 8, text("one"))), "it speaks of a will that is not there");
  EXPECT_EQ(told(connect("MQTT", 4, 2 | 32, text("one"))), "it speaks of a will that is not there");
  EXPECT_EQ(told(connect("MQTT", 4, 2 | 4 | 24, text("one"))), "the will has a quality of service of 3");
  EXPECT_EQ(told(connect("MQTT", 4, 2 | 64, text("one") + text("p"))),
            "there is a password without a user name");
  EXPECT_EQ(told(connect("MQTT", 4, 0, text(""))), "a session is to be kept for a client without an id");
  EXPECT_EQ(told(connect("MQTT", 4, 2, two(4) + "one")), beyond);
  EXPECT_EQ(told(connect("MQTT", 4, 2 | 128, text("one"))), beyond);
  EXPECT_EQ(told(connect("MQTT", 4, 2, text("one") + "x")), "it goes on behind its last field");
  for (const std::string& no_text : {std::string("a\0b", 3), std::string("\xff"), std::string("\xc0\x80"),
                                     std::string("\xed\xa0\x80"), std::string("\xe2\x82")})
    EXPECT_EQ(told(connect("MQTT", 4, 2, text(no_text))), beyond);
  EXPECT_EQ(told(connect("MQTT", 4, 2, text("\xe2\x82\xac"))), "MQTT 4 \xe2\x82\xac");
}

TEST(MqttConnect, RefusesPropertiesThatMakeNoSense) {
  const std::string senseless = "its properties make no sense";
  for (const std::string& bytes : {
           std::string("\x11\0\0\0", 4),                    // cut off
           std::string("\x11\0\0\0\1\x11\0\0\0\1", 10),     // twice
           std::string("\x21\0\0", 3),                      // 0 of them
           std::string("\x17\2", 2),                        // neither no nor yes
           std::string("\x01\1", 2),                        // of a will
           std::string("\x7f"),                             // none at all
           "\x16" + text("data without a method"),
           "\x26" + text("a"),
           std::string("\x80\x80\x80\x80\1", 5),
       })
    EXPECT_EQ(told(connect("MQTT", 5, 2, properties(bytes) + text("one"))), senseless);
  EXPECT_EQ(told(connect("MQTT", 5, 2, variable(500) + text("one"))), senseless);
  EXPECT_EQ(told(connect("MQTT", 5, 2 | 4,
                         properties("") + text("one") + properties(std::string("\x11\0\0\0\1", 5)) +
                             text("t") + text("x"))),
            "the properties of its will make no sense");
}

}  // namespace
}  // namespace sluice::plugin
